"""A watchdog for all tests: a test that hangs ends the run with every thread's stack.

pytest's own faulthandler_timeout, and pytest-timeout, start and join a thread for each test: a
third of the time of a swept test under one schedule. Here the timer is reset once a second at most.
"""

from __future__ import annotations

import faulthandler
import gc
import os
from time import monotonic
from typing import Any

import pytest
from hypothesis import settings

from tests import interrupts, quick
from tests.chance import make_profiles

HANGS_AFTER = 300.0
"""Seconds without the start of a test, or of a schedule of a swept test."""
RESET_AFTER = 1.0

make_profiles()
settings.load_profile("ci" if os.environ.get("CI") else "few")


class Watchdog:
    """Prints every thread's stack and ends the process if no test starts for HANGS_AFTER."""

    def __init__(self, stderr: int) -> None:
        self._stderr = stderr
        self._set_at = 0.0

    def pytest_runtest_setup(self) -> None:
        # In the process that runs the tests: each worker of pytest-xdist has its own watchdog.
        now = monotonic()
        if now - self._set_at >= RESET_AFTER:
            self._set_at = now
            faulthandler.dump_traceback_later(HANGS_AFTER, exit=True, file=self._stderr)

    def pytest_unconfigure(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        os.close(self._stderr)


def pytest_addoption(parser: pytest.Parser) -> None:
    quick.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    # The real stderr: captured output is lost with the process.
    with capture.global_and_fixture_disabled():
        config.pluginmanager.register(Watchdog(os.dup(2)), "hangs")
    config.pluginmanager.register(interrupts, "interrupts")
    if config.getoption("quick"):
        config.pluginmanager.register(quick, "quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that no worker is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Freeze the thousands of tests, so that garbage collections do not traverse them."""
    gc.collect()
    gc.freeze()
