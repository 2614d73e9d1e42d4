"""Standard streams that are closed, full or stalled, in each command."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from cafe.ledger.database import upgrade
from cafe.shop.departments import DEPARTMENTS
from tests.system.proxies import free_port
from tests.system.shop import ADDRESS, COMMAND, FREE_PORTS, environment
from tests.system.until import TIMEOUT, poll_until

SETTINGS = {"database_url": "sqlite://", "limit_requests": 1_000_000}
ADDRESSES = len(("client", "worker"))


def redirected(redirection: str, *arguments: str) -> list[str]:
    """Return the command line of a shop whose streams the shell redirects."""
    command = [*COMMAND, *FREE_PORTS, *arguments]
    return ["sh", "-c", f'exec "$@" {redirection}', "sh", *command]


@contextmanager
def started(
    command: Sequence[str], *, stderr: int = subprocess.PIPE
) -> Generator[subprocess.Popen[bytes]]:
    """Run a process during the block; kill it if it still runs."""
    environ = environment(SETTINGS)
    environ.pop("PYTHONUNBUFFERED", None)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[bytes], name: str, number: int, word: bytes) -> bytes:
    """Read a stream until so many lines with this word have come; return what was read."""
    stream = getattr(process, name)
    read = b""
    while sum(word in line for line in read.splitlines(keepends=True)) < number:
        assert select.select([stream], [], [], TIMEOUT)[0]
        piece = os.read(stream.fileno(), 65_536)
        assert piece, read
        read += piece
    return read


def alive(address: bytes, method: bytes = b"GET", times: int = 1) -> bool:
    """Request /livez so many times on one connection; another method is a line of the log."""
    host, _, port = address.removeprefix(b"http://").decode().rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as connection:
        for _ in range(times):
            connection.sendall(method + b" /livez HTTP/1.1\r\nHost: shop\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                piece = connection.recv(4096)
                assert piece, answer
                answer += piece
    return True


def accepts(place: str) -> bool:
    """Return whether a connection to an address is accepted."""
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), TIMEOUT).close()
    except ConnectionRefusedError:
        return False
    return True


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out, err or b""


def test_a_shop_whose_standard_error_is_closed_serves_and_counts_the_lines_of_its_log() -> None:
    with started(redirected("2>&-")) as process:
        printed = read_until(process, "stdout", ADDRESSES, b"/docs")
        # Nothing else has its number, which libraries in C write to.
        assert Path(f"/proc/{process.pid}/fd/2").readlink() == Path(os.devnull)
        (_, client, _), (_, worker, _) = ADDRESS.findall(printed)
        assert alive(client)
        metrics = httpx.get(f"{worker.decode()}/metrics").text
        dropped = re.search(r"^cafe_log_lines_dropped_total (\S+)$", metrics, re.MULTILINE)
        assert dropped is not None
        assert float(dropped[1]) >= 1
        assert ended(process) == (0, b"", b"")


@pytest.mark.parametrize("redirection", ["2>&-", "<&- >&- 2>&-"])
def test_a_wrong_setting_is_not_printed_on_stdout_when_stderr_is_closed(
    redirection: str,
) -> None:
    with started(redirected(redirection, "--lease-seconds", "soon")) as process:
        assert process.communicate(timeout=TIMEOUT) == (b"", b"")
        assert process.returncode == 2


def test_addresses_that_cannot_be_printed_are_in_the_log() -> None:
    with started(redirected("> /dev/full")) as process:
        log = read_until(process, "stderr", ADDRESSES, b"address not printed")
        lines = [json.loads(line) for line in log.splitlines()]
        missing = [line for line in lines if line["event"] == "address not printed"]
        assert [line["reason"] for line in missing] == ["No space left on device"] * ADDRESSES
        assert alive(ADDRESS.findall(missing[0]["line"].encode())[0][1])
        code, _, rest = ended(process)
        assert code == 0
        assert all(json.loads(line) for line in rest.splitlines())


def test_a_shop_whose_standard_output_is_closed_serves_without_it() -> None:
    place = f"127.0.0.1:{free_port()}"
    with started(redirected(">&-", "--client-bind", place)) as process:
        poll_until(partial(accepts, place))
        assert alive(f"http://{place}".encode())
        code, _, log = ended(process)
    assert code == 0
    assert all(json.loads(line) for line in log.splitlines())


def test_a_wrong_setting_that_cannot_be_printed_is_exit_code_2() -> None:
    with started(redirected("2> /dev/full", "--lease-seconds", "soon")) as process:
        assert process.communicate(timeout=TIMEOUT) == (b"", b"")
    assert process.returncode == 2


def test_a_log_whose_reader_stalls_does_not_stop_the_shop() -> None:
    """Its pipe is full after some hundred requests."""
    reader, writer = os.pipe()
    with started([*COMMAND, *FREE_PORTS], stderr=writer) as process:
        printed = read_until(process, "stdout", ADDRESSES, b"/docs")
        assert alive(ADDRESS.findall(printed)[0][1], b"POST", times=900)
        os.set_blocking(writer, False)
        with pytest.raises(BlockingIOError):
            os.write(writer, bytes(select.PIPE_BUF))
        assert ended(process)[0] == 0
    os.close(writer)
    os.close(reader)


Ended = tuple[int, bytes, bytes]

PRINTING = [
    "python -m cafe --version",
    "python -u -m cafe --version",
    "python -m cafe serve --help",
    "python -u -m cafe serve --help",
    "python -m cafe db check",
    "python -u -m cafe db backup copy",
    "python -m cafe report",
    "python -m cafe report --json",
]
"""Buffered, or with -u each write at once: then it fails while printing, and not at the end."""


class Cafe:
    """Runs commands in a folder with an empty ledger."""

    def __init__(self, folder: Path, ledger: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/cafe.db"
        shutil.copy(ledger, folder / "cafe.db")

    def run(
        self,
        command: str,
        *,
        redirection: str = "",
        stdout: int = subprocess.PIPE,
        **variables: str,
    ) -> Ended:
        """Run a command; return its exit code, and what it has printed."""
        environ = environment({"database_url": self.url}) | variables
        environ.pop("PYTHONUNBUFFERED", None)
        words = [sys.executable, *command.split()[1:]]
        ended = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *words],
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=environ,
            timeout=TIMEOUT,
            check=False,
        )
        return ended.returncode, ended.stdout or b"", ended.stderr


@pytest.fixture(scope="module")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of an empty ledger, to be copied: a migration takes longer."""
    assert DEPARTMENTS, "imported, so that their tables are created"
    file = tmp_path_factory.mktemp("ledger") / "cafe.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def cafe(tmp_path: Path, empty_ledger: Path) -> Cafe:
    return Cafe(tmp_path, empty_ledger)


@pytest.mark.parametrize("command", PRINTING)
def test_output_that_cannot_be_written_is_one_line_and_exit_code_1(
    cafe: Cafe, command: str
) -> None:
    errors = b"cafe: Standard output cannot be written: No space left on device.\n"
    assert cafe.run(command, redirection="> /dev/full") == (1, b"", errors)


@pytest.mark.parametrize("command", PRINTING)
def test_output_to_a_closed_pipe_is_no_line_and_exit_code_1(cafe: Cafe, command: str) -> None:
    """As when `head` has exited."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert cafe.run(command, stdout=writer) == (1, b"", b"")
    finally:
        os.close(writer)


@pytest.mark.parametrize("redirection", [">&-", "<&- >&- 2>&-"])
def test_closed_output_is_not_an_error(cafe: Cafe, redirection: str) -> None:
    assert cafe.run("python -m cafe db check", redirection=redirection) == (0, b"", b"")


def test_an_error_on_a_closed_stderr_is_its_exit_code_alone(cafe: Cafe) -> None:
    assert cafe.run("python -m cafe db backup cafe.db", redirection="2>&-") == (2, b"", b"")


def test_what_the_encoding_of_standard_output_lacks_is_escaped(cafe: Cafe) -> None:
    command = "python -m cafe db backup Zoë"
    code, printed, errors = cafe.run(command, PYTHONIOENCODING="ascii")
    assert (code, errors) == (0, b"")
    assert printed.startswith(rb"Zo\xeb: ")
