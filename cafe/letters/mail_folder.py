"""Letters as files, where there is no mail server: one `.eml` file each, for any mail reader.

Rule: files appear whole or not at all, and are named after their letters: so a letter that is
written again after a kill replaces itself. Files have guests' names and addresses, so only their
owner may read the folder.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog
import trio

from cafe.letters.letter import WRITTEN, Answer, Letter

NOT_WRITTEN = "not written"
"""The outcome if the disk is full or read-only; it is retried."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("letter")


@dataclass(frozen=True, slots=True)
class MailFolder:
    """A folder in which letters are written."""

    path: Path
    limiter: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    async def send(self, letter: Letter, content: str) -> Answer:
        """Write a letter; return when it is on the disk. A cancellation does not wait for that."""
        try:
            await trio.to_thread.run_sync(
                self._write, letter, content, limiter=self.limiter, abandon_on_cancel=True
            )
        except OSError as error:
            log.warning("not written", folder=str(self.path), error=error.strerror)
            return Answer(NOT_WRITTEN)
        return Answer(WRITTEN)

    def _write(self, letter: Letter, content: str) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path / file_name(letter)
        unfinished = path.with_suffix(".part")
        try:
            with open(unfinished, "wb", opener=_private) as file:
                file.write(content.encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise
        _sync_folder(self.path)


def file_name(letter: Letter) -> str:
    """Return the name of a letter's file; names sort by time."""
    created = datetime.fromtimestamp(letter.created_at, UTC)
    return f"{created:%Y%m%dT%H%M%S.%f}_{letter.position:09}_{letter.letter_id}.eml"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(path: Path) -> None:
    if sys.platform == "win32":
        return  # Windows cannot open folders
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
