"""SIGTERM and Ctrl-C at any time of a process, also of process 1 of a container.

For that one the kernel ignores the default actions of signals. What closing means is in
tests/system/test_start_and_stop.py.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.cafe.ledger.postgres import children_of
from tests.system.proxies import free_port
from tests.system.shop import COMMAND, FREE_PORTS, open_shop
from tests.system.test_streams import ADDRESSES, read_until, started
from tests.system.until import TIMEOUT

INTERRUPTED = """
import atexit, os, signal, sys
# A shell makes its background jobs ignore it, and the tests may be one.
signal.signal(signal.SIGINT, signal.default_int_handler)
name = {name!r}
signum = {signum}
interrupted = []

class Interrupter:
    def find_spec(self, module, path=None, target=None):
        if module == name:
            os.kill(os.getpid(), signum)
        elif module + " as garbage is collected" == name:
            Garbage()

def interrupt(event, args):
    if not interrupted and (event == name or (event == "open" and args[0] == name)):
        interrupted.append(event)
        os.kill(os.getpid(), signum)

class Garbage:
    def __del__(self):
        os.kill(os.getpid(), signum)

def interrupt_at_the_end():
    os.kill(os.getpid(), signum)

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


@pytest.mark.parametrize(
    ("arguments", "moment"),
    [
        (["users", "list"], "fastapi"),
        (["menu", "export", "-"], "yaml as garbage is collected"),
        (["db", "check"], "sqlalchemy as garbage is collected"),
        (["report"], "rich.console as garbage is collected"),
        (["baristas"], "httpx as garbage is collected"),
    ],
    ids=str,
)
def test_ctrl_c_as_a_command_imports_what_it_needs_is_exit_code_130_and_prints_nothing(
    arguments: list[str], moment: str
) -> None:
    assert interrupted(moment, arguments) == (130, b"", b"")


def interrupted(
    moment: str,
    arguments: Sequence[str],
    signum: signal.Signals = signal.SIGINT,
    within: Sequence[str] = (),
) -> tuple[int, bytes, bytes]:
    """Interrupt a command at a moment; return its exit code, and what it has printed.

    `within` is a command that runs the command line that follows it.
    """
    program = INTERRUPTED.format(name=moment, arguments=[*arguments], signum=int(signum))
    with started([*within, sys.executable, "-c", program]) as process:
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


SERVE = ("serve", *FREE_PORTS)
GOOD_ORDER = (0, b"", b"")
MOMENTS = ("cafe.cli.streams", "typer", "trio", "pydantic", "cafe.shop.shop")


@pytest.fixture
def as_process_1() -> list[str]:
    """Return the beginning of a command line, whose rest is then run as process 1."""
    unshare = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc"]
    if os.geteuid() != 0:
        unshare.insert(1, "--map-root-user")
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here (on Debian: apt install util-linux)")
    tried = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no namespace can be made here: {tried.stderr}")
    return unshare


@pytest.mark.parametrize("moment", MOMENTS)
def test_sigterm_during_the_start_ends_the_shop_in_good_order(moment: str) -> None:
    assert interrupted(moment, SERVE, signal.SIGTERM) == GOOD_ORDER


@pytest.mark.parametrize("moment", MOMENTS)
def test_sigterm_during_the_start_ends_process_1_in_good_order(
    moment: str, as_process_1: list[str]
) -> None:
    assert interrupted(moment, SERVE, signal.SIGTERM, as_process_1) == GOOD_ORDER


def test_sigterm_to_a_command_that_is_process_1_ends_it(as_process_1: list[str]) -> None:
    code, out, err = interrupted("typer", ["--version"], signal.SIGTERM, as_process_1)
    assert (code, out, err) == (128 + signal.SIGTERM, b"", b"")


def test_a_signal_that_is_ignored_at_the_start_stays_ignored() -> None:
    code, out, _ = interrupted(
        "typer", ["--version"], signal.SIGTERM, ["sh", "-c", "trap '' TERM; exec \"$@\"", "sh"]
    )
    assert code == 0
    assert out.strip()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_process_at_once(signum: signal.Signals) -> None:
    with open_shop(closing_seconds=60, exit_code=128 + signum) as shop:
        shop.process.send_signal(signal.SIGTERM)
        await shop.log.line("closing")
        shop.process.send_signal(signum)
        assert await shop.ended() == 128 + signum


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_process_1_at_once(
    signum: signal.Signals, as_process_1: list[str]
) -> None:
    program = [*as_process_1, *COMMAND]
    with open_shop(program=program, closing_seconds=60, exit_code=128 + signum) as shop:
        (process_1,) = children_of(shop.process.pid)
        os.kill(process_1, signal.SIGTERM)
        await shop.log.line("closing")
        os.kill(process_1, signum)
        assert await shop.ended() == 128 + signum


async def test_sigterm_closes_a_shop_that_is_process_1(as_process_1: list[str]) -> None:
    with open_shop(program=[*as_process_1, *COMMAND]) as shop:
        (process_1,) = children_of(shop.process.pid)
        os.kill(process_1, signal.SIGTERM)
        assert await shop.ended() == 0
