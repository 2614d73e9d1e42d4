"""What holds for every test: a hang is a failure with a stack, not a silent machine.

pytest's own faulthandler_timeout, and pytest-timeout, start and join a thread for each test: a
third of what a swept test takes under one schedule. Here the watch is set anew once a second.
"""

from __future__ import annotations

import faulthandler
import gc
import os
from time import monotonic
from typing import Any

import pytest
from hypothesis import settings

from tests.chance import make_profiles

HANGS_AFTER = 300.0
"""Seconds in which no test begins, nor a schedule of one that is swept."""
ANEW_AFTER = 1.0

make_profiles()
settings.load_profile("ci" if os.environ.get("CI") else "few")


class Watch:
    """Prints every thread's stack, and ends the process, when none has begun for long."""

    def __init__(self, stderr: int) -> None:
        self._stderr = stderr
        self._set_at = 0.0

    def pytest_runtest_setup(self) -> None:
        # In the process that runs the tests: each worker of pytest-xdist has a watch of its own.
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
    """Spare the collector the tests themselves: thousands, looked through in each test."""
    gc.collect()
    gc.freeze()
