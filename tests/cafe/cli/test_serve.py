"""The options of `cafe serve`, and its errors before it serves."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cafe.cli.commands import make_app
from cafe.cli.opening import announce_as_json, open_shop
from cafe.cli.serve import help_text
from cafe.settings import Settings, option_name

FREE_PORTS = {"client_bind": "127.0.0.1:0", "worker_bind": "127.0.0.1:0"}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start in a folder without toml files."""
    monkeypatch.chdir(tmp_path)


def fails_with(capsys: pytest.CaptureFixture[str], **options: object) -> str:
    """Open the shop, which must fail with exit code 2; return the line that it prints."""
    given = {"log_format": "console", **FREE_PORTS, **options}
    assert open_shop({name: str(value) for name, value in given.items()}) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line


def test_all_origins_at_once_are_refused_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    line = fails_with(capsys, cors_origins="*")
    expected = "list the origins: * would go together with credentials"
    assert line == f"cafe: --cors-origins: {expected}"


@pytest.mark.parametrize("option", FREE_PORTS)
def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str], option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = fails_with(capsys, **{option: address})
    assert line == f"cafe: Cannot listen on {address}: Address already in use."


def test_where_the_log_is_json_so_is_the_line_about_a_wrong_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = json.loads(fails_with(capsys, log_format="json", lease_seconds="soon"))
    assert (line["event"], line["level"]) == ("not served", "error")
    assert line["detail"].startswith("--lease-seconds: input should be a valid number")


def test_the_variable_of_the_log_s_form_counts_before_the_settings_are_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("cafe_log_format", "json")
    assert open_shop({"max_waiting": "0"}) == 2
    assert json.loads(capsys.readouterr().err)["event"] == "not served"


def test_an_address_is_announced_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    announce_as_json("client http://127.0.0.1:8080/docs")
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["level"]) == ("open", "info")
    assert line["detail"] == "client http://127.0.0.1:8080/docs"


WRONG_OPTIONS = {
    "client_bind": ("here", "cafe: 'here' is not an address like "),
    "worker_bind": ("127.0.0.1:99999", "cafe: '127.0.0.1:99999' is not an address"),
    "client_config": ("none.toml", "cafe: There is no file none.toml."),
    "lease_seconds": ("soon", "cafe: --lease-seconds: input should be a valid number"),
    "closing_seconds": ("inf", "cafe: --closing-seconds: input should be a finite number"),
    "max_waiting": ("0", "cafe: --max-waiting: input should be greater than or equal to 1"),
    "limit_requests": ("1.5", "cafe: --limit-requests: input should be a valid integer"),
    "log_format": ("xml", "cafe: --log-format: input should be 'auto', 'console' or 'json'"),
    "worker_token": (
        "x",
        "cafe: --worker-token: a token has 16 printable characters or more",
    ),
    "trusted_proxies": ("10.0.0.0/99", "cafe: --trusted-proxies: '10.0.0.0/99' is not a network"),
}


@pytest.mark.parametrize(("option", "value", "said"), [(k, *v) for k, v in WRONG_OPTIONS.items()])
def test_a_wrong_option_is_one_line(
    capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    assert fails_with(capsys, **{option: value}).startswith(said)


def test_a_wrong_variable_is_named_as_such(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAFE_BAN_SECONDS", "-1")
    line = fails_with(capsys)
    assert line == "cafe: CAFE_BAN_SECONDS: input should be greater than 0, not '-1'"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("backlogg = 10", "there is no key 'backlogg', the nearest is backlog"),
        ("backlog = 'many'", "backlog has to be a whole number above 0, not 'many'"),
        ("read_timeout = 5", "read_timeout cannot be set: "),
        ("backlog =", "is not TOML"),
        ("certfile = 'cert.pem'", "TLS takes both a certfile and a keyfile."),
        ("certfile = 'cert.pem'\nkeyfile = 'key.pem'", "cert.pem cannot be read"),
    ],
)
@pytest.mark.parametrize("which", ["client", "worker"])
def test_a_wrong_toml_file_is_one_line(
    capsys: pytest.CaptureFixture[str], which: str, text: str, said: str
) -> None:
    Path("its.toml").write_text(text, "utf-8")
    assert said in fails_with(capsys, **{f"{which}_config": "its.toml"})


def test_help_lists_every_setting_with_its_variable() -> None:
    shown = CliRunner().invoke(make_app(), ["serve", "--help"], env={"COLUMNS": "300"})
    assert shown.exit_code == 0
    for name in Settings.model_fields:
        assert option_name(name) in shown.output
        assert f"CAFE_{name.upper()}" in shown.output


def test_help_shows_the_default_of_a_setting_that_may_be_a_secret() -> None:
    assert help_text("database_url").endswith("(CAFE_DATABASE_URL, default sqlite:///cafe.db)")
    assert help_text("worker_token").endswith("(CAFE_WORKER_TOKEN)")
