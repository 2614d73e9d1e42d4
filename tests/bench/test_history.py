"""The history that is written by plain SQL is one that the café could have written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.history import write_history
from bench.processes import ROOT, cafe, serving
from cafe.ledger.database import upgrade

pytestmark = pytest.mark.once


def test_a_written_history_passes_every_check(tmp_path: Path) -> None:
    file = tmp_path / "cafe.db"
    url = f"sqlite:///{file}"
    upgrade(url)
    write_history(file, 50)
    with serving(cafe(url)):  # which puts its first menu into the log, behind them
        pass
    command = (sys.executable, "-m", "cafe", "db", "check", "--database-url", url)
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
