"""What holds for every test: a hang is a failure with a stack, not a silent machine.

pytest's own faulthandler_timeout, and pytest-timeout, start and join a thread for each test: a
third of what one of the thousands of swept tests takes. Here the watch is set anew once a second.
"""

from __future__ import annotations

import faulthandler
import gc
import os
from time import monotonic
from typing import Any

import pytest

HANGS_AFTER = 120.0
"""Seconds in which no test ends."""
ANEW_AFTER = 1.0


class Watch:
    """Prints every thread's stack, and ends the process, when no test has ended for long."""

    def __init__(self, stderr: int) -> None:
        self._stderr = stderr
        self._set_at = 0.0

    def pytest_runtest_logstart(self) -> None:
        now = monotonic()
        if now - self._set_at >= ANEW_AFTER:
            self._set_at = now
            faulthandler.dump_traceback_later(HANGS_AFTER, exit=True, file=self._stderr)

    def pytest_unconfigure(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        os.close(self._stderr)


def pytest_configure(config: pytest.Config) -> None:
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    # The real one: what pytest has captured is lost with the process.
    with capture.global_and_fixture_disabled():
        config.pluginmanager.register(Watch(os.dup(2)), "hangs")


def pytest_collection_finish() -> None:
    """Spare the collector the tests themselves: twenty thousand, looked through in each test."""
    gc.collect()
    gc.freeze()
