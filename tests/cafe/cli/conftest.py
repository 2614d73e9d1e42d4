"""Commands run in this process, and set up its log: that is undone after each test."""

from __future__ import annotations

import logging
from collections.abc import Generator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Generator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
