"""Ctrl-C ends a run of the tests: a plugin of pytest.

Rule: a KeyboardInterrupt reaches pytest as itself. In a trio test a nursery wraps it in a group,
which pytest treats as a failure of that test, and goes on to the next. And it ends the run soon:
pytest would first spend a quarter of a second in each process on a traceback that it does not show.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest


@contextmanager
def interruptible() -> Generator[None]:
    """Raise KeyboardInterrupt instead of a group that contains one."""
    try:
        yield
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        raise KeyboardInterrupt from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    with interruptible():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    with interruptible():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    with interruptible():
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Keep only the place of the interrupt in the traceback: the rest is not shown."""
    excinfo.traceback = excinfo.traceback[-1:]
