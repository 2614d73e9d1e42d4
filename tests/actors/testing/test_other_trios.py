"""A trio that has moved its private names breaks swept tests only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

async def test_plain() -> None: ...

@pytest.mark.schedules(1)
async def test_swept() -> None: ...
"""

# A module that is None in sys.modules cannot be imported; trio itself is there already.
WITHOUT = """
import sys
import trio.testing

sys.modules["trio._core._run"] = None

import pytest

# Not every plugin that is installed: others use the same names.
plugins = ["-p", "pytest_trio.plugin", "-p", "actors.testing.plugin"]
sys.exit(pytest.main(["-q", *plugins, "-o", "trio_mode=true", "test_some.py"]))
"""


def test_a_trio_without_the_scheduler_that_we_know_fails_swept_tests_only(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS, encoding="utf-8")
    run = [sys.executable, "-c", WITHOUT]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(run, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "test_swept - [schedule 0] ModuleNotFoundError" in done.stdout
