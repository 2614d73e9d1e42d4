"""Tests use temporary folders: a shop that is open on `cafe.db` in the current one is undisturbed.

Rule: the tests that are run here start shops in both ways: as a process of its own, and by the
command line in the process of the test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from cafe.ledger.store import open_store

ROOT = Path(__file__).parents[1]
STARTING = (
    "tests/system/test_start_and_stop.py::test_a_port_in_use_is_one_line_and_exit_code_2",
    "tests/cafe/cli/test_serve.py::test_a_port_in_use_is_one_line",
)


def test_tests_pass_and_touch_nothing_while_a_shop_is_open_in_the_current_folder(
    tmp_path: Path,
) -> None:
    usual = {name: text for name, text in os.environ.items() if not name.startswith("CAFE_")}
    with closing(open_store(f"sqlite:///{tmp_path / 'cafe.db'}")):
        before = {path: path.read_bytes() for path in tmp_path.glob("cafe*")}
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "--schedules=1"),
                *(str(ROOT / name) for name in STARTING),
            ],
            cwd=tmp_path,
            env={**usual, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert {path: path.read_bytes() for path in tmp_path.glob("cafe*")} == before
