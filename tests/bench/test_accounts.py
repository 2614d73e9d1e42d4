"""The accounts that are written by plain SQL are such as the café could have written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.accounts import write_accounts
from bench.ledger import make_ledger
from bench.processes import ROOT

pytestmark = pytest.mark.once


def test_written_accounts_pass_every_check(tmp_path: Path) -> None:
    file = tmp_path / "cafe.db"
    url = make_ledger(file)
    write_accounts(file, 50)
    command = (sys.executable, "-m", "cafe", "db", "check", "--database-url", url)
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
