"""The errors of the type checkers for right and wrong uses of the toolkit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
MARK = re.compile(r"  # type: ignore\[[\w, -]+\]$", re.MULTILINE)

MYPY = ("mypy", "--strict", "--no-error-summary", "--no-pretty")
PYRIGHT = ("pyright", "--outputjson", "--pythonpath", sys.executable)

# (file name, line) of each error.
Errors = set[tuple[str, int]]


def mypy_errors(output: str) -> Errors:
    found = re.findall(r"([^/\\\n]+\.py):(\d+): error:", output)
    return {(name, int(line)) for name, line in found}


def pyright_errors(output: str) -> Errors:
    return {
        (Path(error["file"]).name, error["range"]["start"]["line"] + 1)
        for error in json.loads(output)["generalDiagnostics"]
    }


@pytest.mark.parametrize(
    ("command", "errors"), [(MYPY, mypy_errors), (PYRIGHT, pyright_errors)], ids=["mypy", "pyright"]
)
def test_a_checker_accepts_right_uses_and_rejects_each_wrong_one(
    command: tuple[str, ...], errors: Callable[[str], Errors], tmp_path: Path
) -> None:
    rejects = (HERE / "rejects.py").read_text(encoding="utf-8")
    expected = {
        ("rejects.py", number)
        for number, line in enumerate(rejects.splitlines(), 1)
        if MARK.search(line)
    }
    unmarked = tmp_path / "rejects.py"
    unmarked.write_text(MARK.sub("", rejects), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", *command, str(unmarked), str(HERE / "accepts.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert errors(run.stdout) == expected, run.stdout
