"""SIGTERM and Ctrl-C at any time of a process, also of process 1 of a container.

For that one the kernel ignores the default actions of signals. tests/system/test_streams.py has
Ctrl-C during the start, and tests/system/test_start_and_stop.py what closing means.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from tests.cafe.ledger.postgres import children_of
from tests.system.shop import COMMAND, FREE_PORTS, open_shop
from tests.system.test_streams import interrupted

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
