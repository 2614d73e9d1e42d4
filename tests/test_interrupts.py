"""One Ctrl-C ends a run of the tests, in a trio test too, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cafe.ledger.postgres import children_of, why_not

TIMEOUT = 60.0
POLL = 0.02
CLOSING = 1.0
"""Seconds of a processor for each process of the run, where each takes 0.5: so a run with two
workers ends within two seconds on two cores. What else a machine runs does not count.
"""
KILLED_AFTER = 10.0
"""Seconds of the clock, after which pytest-xdist kills a worker that does not end."""

PYTEST = """
import signal, sys
# A shell makes its background jobs ignore it, and these tests may be one.
signal.signal(signal.SIGINT, signal.default_int_handler)
import pytest
sys.exit(pytest.main())
"""
LONG = """
import os
from pathlib import Path
import pytest
import trio
from tests.cafe.ledger.postgres import running_server

@pytest.fixture(scope="session")
def server():
    with running_server() as server:
        yield server

@pytest.mark.parametrize("number", range(20))
async def test_takes_long(server, number):
    Path(f"begun.{os.getpid()}").write_text(str(server.folder))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 60)
"""


def begun(folder: Path) -> list[Path]:
    """Return the folders of the servers whose tests have begun."""
    texts = [file.read_text("utf-8") for file in folder.glob("begun.*")]
    return [Path(text) for text in texts if text]


def spent_by(pids: list[int]) -> float:
    """Return what processes and those that they have waited for took of a processor, in seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def spent_by_ended() -> float:
    """Return the same of all processes that this one has waited for."""
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.parametrize("workers", [0, 2])
def test_one_ctrl_c_ends_a_run_and_leaves_no_server_and_no_process(
    tmp_path: Path, workers: int
) -> None:
    if reason := why_not():
        pytest.skip(reason)
    (tmp_path / "test_long.py").write_text(LONG, "utf-8")
    before = spent_by_ended()
    options = ["-p", "tests.interrupts", "-o", "trio_mode=true", "-n", str(workers)]
    with subprocess.Popen(
        [sys.executable, "-c", PYTEST, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a process group, as a shell makes for each command
    ) as run:
        try:
            deadline = time.monotonic() + TIMEOUT
            while len(begun(tmp_path)) < max(1, workers):
                assert run.poll() is None
                assert time.monotonic() < deadline
                time.sleep(POLL)
            spent = spent_by([run.pid, *children_of(run.pid)])
            pressed = time.monotonic()
            os.killpg(run.pid, signal.SIGINT)
            said, _ = run.communicate(timeout=TIMEOUT)
            took = time.monotonic() - pressed
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    assert "failed" not in said
    assert [folder for folder in begun(tmp_path) if folder.exists()] == []
    assert spent_by_ended() - before - spent < CLOSING * (1 + workers), said
    assert took < KILLED_AFTER, said
