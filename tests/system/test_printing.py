"""Commands whose output cannot be written: full device, closed pipe, closed streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cafe.ledger.database import upgrade
from cafe.shop.departments import DEPARTMENTS
from tests.system.shop import TIMEOUT, environment

Ended = tuple[int, bytes, bytes]

PRINTING = [
    "python -m cafe --version",
    "python -u -m cafe --version",
    "python -m cafe serve --help",
    "python -u -m cafe serve --help",
    "python -m cafe db check",
    "python -u -m cafe db backup copy",
    "python -m cafe report",
    "python -m cafe report --json",
]
"""Buffered, or with -u each write at once: then it fails while printing, and not at the end."""


class Cafe:
    """Runs commands in a folder with an empty ledger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/cafe.db"
        assert DEPARTMENTS, "imported, so that their tables are created"
        upgrade(self.url)

    def run(
        self,
        command: str,
        *,
        redirection: str = "",
        stdout: int = subprocess.PIPE,
        **variables: str,
    ) -> Ended:
        """Run a command; return its exit code, and what it has printed."""
        environ = environment({"database_url": self.url}) | variables
        environ.pop("PYTHONUNBUFFERED", None)
        words = [sys.executable, *command.split()[1:]]
        ended = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *words],
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=environ,
            timeout=TIMEOUT,
            check=False,
        )
        return ended.returncode, ended.stdout or b"", ended.stderr


@pytest.fixture
def cafe(tmp_path: Path) -> Cafe:
    return Cafe(tmp_path)


@pytest.mark.parametrize("command", PRINTING)
def test_output_that_cannot_be_written_is_one_line_and_exit_code_1(
    cafe: Cafe, command: str
) -> None:
    said = b"cafe: Standard output cannot be written: No space left on device.\n"
    assert cafe.run(command, redirection="> /dev/full") == (1, b"", said)


@pytest.mark.parametrize("command", PRINTING)
def test_output_to_a_closed_pipe_is_no_line_and_exit_code_1(cafe: Cafe, command: str) -> None:
    """As when `head` has exited."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert cafe.run(command, stdout=writer) == (1, b"", b"")
    finally:
        os.close(writer)


@pytest.mark.parametrize("redirection", [">&-", "<&- >&- 2>&-"])
def test_closed_output_is_not_an_error(cafe: Cafe, redirection: str) -> None:
    assert cafe.run("python -m cafe db check", redirection=redirection) == (0, b"", b"")


def test_an_error_on_a_closed_stderr_is_its_exit_code_alone(cafe: Cafe) -> None:
    assert cafe.run("python -m cafe db backup cafe.db", redirection="2>&-") == (2, b"", b"")


def test_what_the_encoding_of_standard_output_lacks_is_escaped(cafe: Cafe) -> None:
    command = "python -m cafe db backup Zoë"
    code, printed, said = cafe.run(command, PYTHONIOENCODING="ascii")
    assert (code, said) == (0, b"")
    assert printed.startswith(rb"Zo\xeb: ")
