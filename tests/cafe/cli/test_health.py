"""`cafe health`: where it asks, what it makes of the answer, and that it imports little."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import trustme

from cafe.cli import health as command
from cafe.cli.health import DEFAULT_BIND, DEFAULT_CONFIG, UNHEALTHY, find_place
from cafe.server.config import load_config
from tests.cafe.cli.running import run_command
from tests.imports import ROOT

ALIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HEAVY = {"typer", "click", "pydantic", "hypercorn", "trio", "httpx", "pathlib", "http", "ssl"}
MOST_MODULES = 110
"""Of those that Python itself has imported at its start, which are 30 to 60, and ours."""
TIMEOUT = 10.0
"""Seconds after which a server that is not asked gives up."""
MODULES = """
import sys
from cafe.cli import main
sys.argv[1:] = ["health"]
try:
    main()
finally:
    print(*sys.modules)
"""


@pytest.fixture(autouse=True)
def _no_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("CAFE_"):
            monkeypatch.delenv(name)


@contextmanager
def answering(
    answer: bytes | None, wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain
) -> Generator[tuple[str, list[bytes]]]:
    """Yield the address of a server of one connection, and what it is asked; None: no answer."""
    asked: list[bytes] = []

    def serve() -> None:
        with wrap(listener.accept()[0]) as connection:
            asked.append(connection.recv(65536))
            if answer is not None:
                connection.sendall(answer)
            else:
                connection.recv(1)  # until it gives up

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        server = Thread(target=serve)
        server.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", asked
        finally:
            server.join()


def test_a_shop_that_answers_is_alive(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(ALIVE) as (bind, asked):
        monkeypatch.setenv("CAFE_CLIENT_BIND", bind)
        assert run_command(["health"]) == 0
    assert asked[0].startswith(b"GET /livez HTTP/1.1\r\n")
    assert capsys.readouterr().out == f"The shop is alive at http://{bind}/livez.\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered HTTP/1.1 503 Service Unavailable."),
        (b"HTTP/1.1 2001 \r\n\r\n", "answered HTTP/1.1 2001 ."),
        (b"\x1b[2J\r\n", "answered \\x1b[2J."),
        (b"", "answered nothing."),
    ],
)
def test_another_answer_is_one_line_and_exit_code_1(
    answer: bytes,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(answer) as (bind, _):
        monkeypatch.setenv("CAFE_CLIENT_BIND", bind)
        assert run_command(["health"]) == UNHEALTHY
    assert capsys.readouterr().err == f"cafe: http://{bind}/livez {said}\n"


def test_a_shop_that_hangs_is_given_up_after_two_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.SECONDS == 2
    monkeypatch.setattr(command, "SECONDS", 0.05)
    with answering(None) as (bind, _):
        monkeypatch.setenv("CAFE_CLIENT_BIND", bind)
        assert run_command(["health"]) == UNHEALTHY
    assert capsys.readouterr().err == f"cafe: http://{bind}/livez has not answered within 0.05 s.\n"


def test_no_shop_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        bind = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("CAFE_CLIENT_BIND", bind)
    assert run_command(["health"]) == UNHEALTHY
    shown = capsys.readouterr().err
    assert shown == f"cafe: http://{bind}/livez cannot be asked: Connection refused.\n"


def test_a_shop_with_tls_is_asked_so_whatever_its_certificate_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate = trustme.CA().issue_cert("cafe.example", not_after=None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType] # it also takes pyOpenSSL's
    (tmp_path / "tls.toml").write_text('certfile = "replaced.pem"\nkeyfile = "replaced.pem"\n')
    monkeypatch.setenv("CAFE_CLIENT_CONFIG", "tls.toml")
    with answering(ALIVE, lambda plain: context.wrap_socket(plain, server_side=True)) as (bind, _):
        monkeypatch.setenv("CAFE_CLIENT_BIND", bind)
        assert run_command(["health"]) == 0
    assert capsys.readouterr().out == f"The shop is alive at https://{bind}/livez.\n"


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("0.0.0.0:80", "http://127.0.0.1:80/livez"),
        ("[::]:8080", "http://[::1]:8080/livez"),
        ("[fd00::7]:8080", "http://[fd00::7]:8080/livez"),
        ("localhost:9", "http://localhost:9/livez"),
    ],
)
def test_it_asks_where_the_shop_is_bound(
    bind: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DEFAULT_CONFIG).write_text(f'bind = ["{bind}", "127.0.0.1:1"]\n')
    assert find_place().url == url
    monkeypatch.setenv("cafe_client_bind", "127.0.0.1:7")
    assert find_place().url == "http://127.0.0.1:7/livez"
    monkeypatch.setenv("cafe_client_bind", "")
    assert find_place().url == url


def test_without_settings_it_asks_where_the_shop_is_then() -> None:
    config = load_config(None, default=Path(DEFAULT_CONFIG), bind=None, default_bind=DEFAULT_BIND)
    assert config.bind == [DEFAULT_BIND]
    assert find_place().url == f"http://{DEFAULT_BIND}/livez"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("bind = '127.0.0.1:0'", "The shop chooses its port at each start: set CAFE_CLIENT_BIND."),
        ("bind = 'here'", "'here' is not an address like 127.0.0.1:8080."),
        ("bind = '[::1]:65536'", "'[::1]:65536' is not an address like 127.0.0.1:8080."),
        ("bind = ", "client.toml is not TOML: "),
        (None, "client.toml cannot be read: No such file or directory."),
    ],
)
def test_a_shop_that_cannot_be_found_is_one_line(
    toml: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if toml is not None:
        (tmp_path / "client.toml").write_text(toml)
    monkeypatch.setenv("CAFE_CLIENT_CONFIG", "client.toml")
    assert run_command(["health"]) == UNHEALTHY
    assert capsys.readouterr().err.startswith(f"cafe: {said}")


def test_it_costs_little_because_it_imports_little() -> None:
    with answering(ALIVE) as (bind, _):
        run = subprocess.run(
            [sys.executable, "-c", MODULES],
            cwd=ROOT,
            env={"CAFE_CLIENT_BIND": bind},
            capture_output=True,
            text=True,
            check=True,
        )
    first, modules = run.stdout.splitlines()
    assert first == f"The shop is alive at http://{bind}/livez."
    imported = set(modules.split())
    assert imported & HEAVY == set()
    assert len(imported) < MOST_MODULES
