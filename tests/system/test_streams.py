"""Standard streams that are closed, full or stalled, in each command; and Ctrl-C at its start."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cafe.ledger.database import upgrade
from cafe.shop.departments import DEPARTMENTS
from tests.system.proxies import free_port
from tests.system.shop import ADDRESS, COMMAND, FREE_PORTS, POLL, TIMEOUT, environment

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


def wait_for(place: str) -> None:
    """Wait until a connection to an address is accepted."""
    host, _, port = place.rpartition(":")
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            socket.create_connection((host, int(port)), TIMEOUT).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(POLL)
        else:
            return


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out, err or b""


def test_a_shop_whose_standard_error_is_closed_serves_without_it() -> None:
    with started(redirected("2>&-")) as process:
        printed = read_until(process, "stdout", ADDRESSES, b"/docs")
        # Nothing else has its number, which libraries in C write to.
        assert Path(f"/proc/{process.pid}/fd/2").readlink() == Path(os.devnull)
        assert alive(ADDRESS.findall(printed)[0][1])
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
        wait_for(place)
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


INTERRUPTED = """
import atexit, os, signal, sys
# A shell makes its background jobs ignore it, and the tests may be one.
signal.signal(signal.SIGINT, signal.default_int_handler)
name = {name!r}
interrupted = []

class Interrupter:
    def find_spec(self, module, path=None, target=None):
        if module == name:
            os.kill(os.getpid(), signal.SIGINT)
        elif module + " as garbage is collected" == name:
            Garbage()

def interrupt(event, args):
    if not interrupted and (event == name or (event == "open" and args[0] == name)):
        interrupted.append(event)
        os.kill(os.getpid(), signal.SIGINT)

class Garbage:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def interrupt_at_the_end():
    os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
sys.addaudithook(interrupt)
if name == "atexit":
    atexit.register(interrupt_at_the_end)
sys.argv[1:] = {arguments!r}
from cafe.cli import main
main()
"""


@pytest.mark.parametrize(
    "moment",
    [
        "cafe.cli.streams",
        "typer",
        "cafe.cli.serve",
        "trio",
        "pydantic",
        "cafe.shop.shop",
        "cafe.shop.shop as garbage is collected",
        "hypercorn_client.toml",
        "hypercorn_worker.toml",
    ],
)
def test_ctrl_c_during_the_start_is_exit_code_130_and_prints_nothing(moment: str) -> None:
    """At the import of a module, when a file is read, or during garbage collection.

    Python would drop a KeyboardInterrupt of a finalizer, after a traceback.
    """
    assert interrupted(moment, ["serve", *FREE_PORTS]) == (130, b"", b"")


def interrupted(moment: str, arguments: Sequence[str]) -> tuple[int, bytes, bytes]:
    """Interrupt a command at a moment; return its exit code, and what it has printed."""
    program = INTERRUPTED.format(name=moment, arguments=[*arguments])
    with started([sys.executable, "-c", program]) as process:
        out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out, err


def test_ctrl_c_as_the_ports_are_opened_shuts_the_shop_down_in_good_order() -> None:
    code, out, log = interrupted("socket.bind", ["serve", *FREE_PORTS])
    assert code == 0
    assert len(out.splitlines()) in {0, ADDRESSES}
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events[0] == "signal"
    assert events[-1] == "closed"


def test_ctrl_c_while_the_shop_waits_for_the_database_shuts_it_down() -> None:
    absent = f"postgresql+psycopg://cafe:secret@127.0.0.1:{free_port()}/cafe"
    with started([*COMMAND, *FREE_PORTS, "--database-url", absent]) as process:
        awaited = read_until(process, "stderr", 1, b"the database is awaited")
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (0, b"")
    assert [json.loads(line)["event"] for line in (awaited + rest).splitlines()] == [
        "the database is awaited",
        "signal",
    ]


@pytest.mark.parametrize("player", ["baristas", "customers"])
def test_ctrl_c_as_a_player_connects_is_exit_code_130_and_prints_nothing(player: str) -> None:
    """A nursery is open then, which wraps the KeyboardInterrupt in a group."""
    absent = f"http://127.0.0.1:{free_port()}"
    assert interrupted("socket.connect", [player, "1", "--url", absent]) == (130, b"", b"")


def test_ctrl_c_as_python_exits_prints_nothing() -> None:
    code, _, err = interrupted("atexit", ["--version"])
    assert (code, err) == (130, b"")


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
