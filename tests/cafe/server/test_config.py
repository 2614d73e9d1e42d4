from __future__ import annotations

from pathlib import Path
from types import FunctionType

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypercorn.config import Config

from cafe.server.config import KEYS, REFUSED, ConfigError, ServerConfig, load_config, parse_bind

ROOT = Path(__file__).parents[3]
METHODS = (FunctionType, classmethod)
NOWHERE = Path("nowhere.toml")


def load(tmp_path: Path, text: str, bind: str | None = None) -> ServerConfig:
    file = tmp_path / "door.toml"
    file.write_text(text, "utf-8")
    return load_config(file, default=NOWHERE, bind=bind, default_bind="127.0.0.1:8080")


def complaint(tmp_path: Path, text: str, bind: str | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text, bind)
    return str(raised.value)


def test_the_files_in_the_repository_bind_the_two_ports() -> None:
    for name, bind in (("client", "127.0.0.1:8080"), ("worker", "127.0.0.1:8081")):
        file = ROOT / f"hypercorn_{name}.toml"
        config = load_config(file, default=NOWHERE, bind=None, default_bind="unused:1")
        assert config.bind == [bind]
        assert config.file == file
        assert config.backlog == 4096


def test_the_files_in_the_repository_say_what_the_defaults_are() -> None:
    defaults = ServerConfig()
    for name in ("client", "worker"):
        file = ROOT / f"hypercorn_{name}.toml"
        config = load_config(file, default=NOWHERE, bind=None, default_bind="unused:1")
        for key in set(KEYS) - {"bind"}:
            assert getattr(config, key) == getattr(defaults, key), key


def test_a_file_that_was_not_named_may_be_missing() -> None:
    config = load_config(None, default=NOWHERE, bind=None, default_bind="127.0.0.1:8081")
    assert config.file is None
    assert config.bind == ["127.0.0.1:8081"]
    assert config.backlog == 4096
    assert config.alpn_protocols == ["http/1.1"]


def test_a_file_that_was_named_has_to_exist() -> None:
    with pytest.raises(ConfigError, match=r"There is no file nowhere\.toml"):
        load_config(NOWHERE, default=NOWHERE, bind=None, default_bind="127.0.0.1:8081")


def test_the_callers_bind_overrides_the_files_and_the_default_comes_last(tmp_path: Path) -> None:
    assert load(tmp_path, 'bind = "[::1]:1"', bind="127.0.0.1:0").bind == ["127.0.0.1:0"]
    assert load(tmp_path, 'bind = "[::1]:1"').bind == ["[::1]:1"]
    assert load(tmp_path, "backlog = 1").bind == ["127.0.0.1:8080"]


def test_an_unknown_key_is_named_with_the_nearest_right_one(tmp_path: Path) -> None:
    said = complaint(tmp_path, "keep_alive_timout = 3")
    assert "there is no key 'keep_alive_timout', the nearest is keep_alive_timeout" in said


def test_a_key_like_no_other_is_refused_with_a_list_of_all(tmp_path: Path) -> None:
    assert "only bind, " in complaint(tmp_path, "zzzzzz = 3")


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_a_key_that_cannot_work_here_is_refused_with_the_reason(tmp_path: Path, key: str) -> None:
    said = complaint(tmp_path, f"{key} = 1")
    assert said == f"{tmp_path}/door.toml: {key} cannot be set: {REFUSED[key]}."


def test_every_key_of_hypercorn_works_or_is_refused_and_no_other() -> None:
    attributes = {*vars(Config), *Config.__annotations__} - {"log", "ssl_enabled"}
    of_hypercorn = {
        name
        for name in attributes
        if name == "logger_class"
        or not (name.startswith("_") or isinstance(vars(Config).get(name), METHODS))
    }
    ours = {"head_timeout", "body_timeout", "send_timeout", "linger_timeout"}
    assert set(KEYS).isdisjoint(REFUSED)
    assert set(KEYS) | set(REFUSED) == of_hypercorn | ours


@pytest.mark.parametrize(
    "line",
    [
        'backlog = "many"',
        "backlog = 0",
        "backlog = true",
        "backlog = 1.5",
        "keep_alive_timeout = -1",
        "keep_alive_timeout = inf",
        "keep_alive_timeout = nan",
        'graceful_timeout = "soon"',
        "include_date_header = 1",
        "bind = 8080",
        "bind = []",
        "bind = [1]",
        "certfile = true",
        'certfile = ""',
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_key(tmp_path: Path, line: str) -> None:
    assert f"{line.partition(' ')[0]} has to be " in complaint(tmp_path, line)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:0", ("::1", 0)),
        ("[::]:8080", ("::", 8080)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_bind(text) == address


@pytest.mark.parametrize(
    "bind",
    [
        *["", "8080", ":8080", "::1:8080", "127.0.0.1", "127.0.0.1:", "[]:1"],
        *["a:b", "a:65536", "a:-1", "a b:1"],
        *["unix:/tmp/socket", "fd://3", "http://127.0.0.1:8080"],
    ],
)
def test_another_address_is_refused_and_named(tmp_path: Path, bind: str) -> None:
    assert repr(bind) in complaint(tmp_path, "", bind=bind)


@pytest.mark.parametrize("text", ["bind =", "[[", "bind = 'a'\nbind = 'b'"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    assert "is not TOML" in complaint(tmp_path, text)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "door.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config(file, default=NOWHERE, bind=None, default_bind="127.0.0.1:0")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path, default=NOWHERE, bind=None, default_bind="127.0.0.1:0")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    issued = trustme.CA().issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "noise.pem").write_text("noise")
    return folder


def test_a_certificate_and_its_key_turn_tls_on(tmp_path: Path, tls: Path) -> None:
    config = load(tmp_path, f'certfile = "{tls}/cert.pem"\nkeyfile = "{tls}/key.pem"')
    assert config.ssl_enabled


@pytest.mark.parametrize(
    ("certfile", "keyfile", "said"),
    [
        ("cert.pem", "missing.pem", "missing.pem cannot be read: No such file"),
        ("missing.pem", "key.pem", "missing.pem cannot be read: No such file"),
        ("cert.pem", "noise.pem", "TLS cannot be set up"),
        ("noise.pem", "key.pem", "TLS cannot be set up"),
        ("cert.pem", "cert.pem", "TLS cannot be set up"),
        ("", "key.pem", "both"),
        ("cert.pem", "", "both"),
    ],
)
def test_what_a_certificate_lacks_is_one_sentence(
    tmp_path: Path, tls: Path, certfile: str, keyfile: str, said: str
) -> None:
    lines = [f'certfile = "{tls}/{certfile}"'] if certfile else []
    lines += [f'keyfile = "{tls}/{keyfile}"'] if keyfile else []
    sentence = complaint(tmp_path, "\n".join(lines))
    assert said in sentence
    assert "\n" not in sentence


def test_a_key_under_a_password_is_not_asked_for_at_the_terminal(tmp_path: Path, tls: Path) -> None:
    key = load_pem_private_key((tls / "key.pem").read_bytes(), None)
    sealed = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"espresso")
    )
    (tmp_path / "sealed.pem").write_bytes(sealed)
    lines = f'certfile = "{tls}/cert.pem"\nkeyfile = "{tmp_path}/sealed.pem"\n'
    assert "TLS cannot be set up" in complaint(tmp_path, lines)
    assert load(tmp_path, lines + 'keyfile_password = "espresso"').ssl_enabled


def test_ciphers_that_do_not_exist_are_one_sentence(tmp_path: Path, tls: Path) -> None:
    files = f'certfile = "{tls}/cert.pem"\nkeyfile = "{tls}/key.pem"\n'
    assert "TLS cannot be set up" in complaint(tmp_path, files + 'ciphers = "rot13"')
