"""Commands run in this process, and set up its log: that is undone after each test."""

from __future__ import annotations

import logging
from collections.abc import Generator
from pathlib import Path

import pytest
import structlog

from tests.cafe.cli.importer import Importer


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Generator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def importer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Importer:
    importer = Importer(tmp_path, capsys)
    monkeypatch.setenv("CAFE_DATABASE_URL", importer.url)
    monkeypatch.chdir(tmp_path)
    return importer
