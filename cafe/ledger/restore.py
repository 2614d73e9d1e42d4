"""Puts a copy of a ledger in the ledger's place, and keeps what was there.

Rule: whenever this is killed, the next owner finds the former ledger, whole, or the restored one.

Theory of operation. A ledger is a file and a log that belong together, and no file system replaces
two files at once: a copy beside the former log is overwritten by it. So the copy is made whole and
gets the name `cafe.db.restored`, which decides that it is to be the ledger. What is left is done by
whichever process owns the ledger then, this one or a shop that starts: the former log goes aside,
the former file, and the copy gets its name. Each of these steps may find itself done already.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
from contextlib import closing
from itertools import count
from math import inf
from pathlib import Path

from sqlalchemy.engine import URL

from cafe.ledger.address import (
    SECRET_OPTIONS,
    WrongDatabaseError,
    is_in_memory,
    parse_address,
)
from cafe.ledger.backup import conninfo_of
from cafe.ledger.errors import LedgerError
from cafe.ledger.ledger_file import LedgerFile, sync_folder
from cafe.ledger.link import telling
from cafe.ledger.owner_file import OwnerFile
from cafe.ledger.reading import existing_file

LOGS = ("-wal", "-journal")
"""What SQLite would write into any file that has their name without this ending."""


class RestoreError(LedgerError):
    """Nothing was restored; the ledger is as it was."""


def restore(address: str, source: Path) -> Path | None:
    """Make a copy of `source` the ledger, and give the name that the former one has now, if any.

    Raises DatabaseInUse while a shop owns the ledger, NotALedger where no shop could open `source`,
    and RestoreError. PostgreSQL does so with a program of its own: that is said.
    """
    url = parse_address(address)
    if url.drivername != "sqlite":
        raise RestoreError(f"Stop the shop, and run: {_command(url, source)}")
    if is_in_memory(url):
        raise WrongDatabaseError("A ledger in memory cannot be restored.")
    target = LedgerFile(Path(os.path.realpath(str(url.database))), str(url.database))
    copied = _checked(source, target)
    try:
        return _put(copied, target)
    except OSError as error:
        raise RestoreError(f"{target.name} cannot be replaced: {error.strerror}.") from None


def complete(target: LedgerFile) -> Path | None:
    """Finish a restore that is decided, and give the former ledger's name; for its owner only."""
    ready = _beside(target, ".restored")
    if not ready.exists():
        return None
    aside = _free_name(target)
    for ending in (*LOGS, ""):
        former = _beside(target, ending)
        if former.exists():
            former.rename(f"{aside}{ending}")
    target.shared.unlink(missing_ok=True)
    # The copy must not have the name while the former log still has its own.
    sync_folder(ready.parent)
    ready.rename(target.path)
    sync_folder(ready.parent)
    return aside if aside.exists() else None


def _checked(source: Path, target: LedgerFile) -> LedgerFile:
    path = existing_file(URL.create("sqlite", database=str(source)))
    if target.path.exists() and path.samefile(target.path):
        raise RestoreError(f"{source} is the ledger itself.")
    copied = LedgerFile(path.resolve(), str(source))
    with telling():
        copied.read_through(largest=inf)
    return copied


def _put(copied: LedgerFile, target: LedgerFile) -> Path | None:
    if not target.path.parent.is_dir():
        raise RestoreError(f"There is no folder {target.path.parent}.")
    owner = OwnerFile(target.path)
    owner.take()
    try:
        complete(target)  # an earlier one, that was interrupted
        draft = _beside(target, ".restoring")
        _copy(copied, draft)
        _liken(draft, target.path)
        draft.rename(_beside(target, ".restored"))
        sync_folder(draft.parent)
        return complete(target)
    finally:
        owner.release()


def _copy(copied: LedgerFile, draft: Path) -> None:
    for leftover in (draft, *(draft.with_name(draft.name + ending) for ending in LOGS)):
        leftover.unlink(missing_ok=True)
    with telling(), copied.untouched() as source, closing(sqlite3.connect(draft)) as copy:
        source.backup(copy)
        # One file that needs none beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _liken(draft: Path, former: Path) -> None:
    """Let the same users read and write the copy; root restores it for the shop's user."""
    if former.exists():
        shutil.copymode(former, draft)
    if os.geteuid() == 0:
        like = (former if former.exists() else former.parent).stat()
        os.chown(draft, like.st_uid, like.st_gid)


def _free_name(target: LedgerFile) -> Path:
    for number in count(1):
        aside = _beside(target, f".before-restore-{number}")
        logs = [ending for ending in LOGS if _beside(target, ending).exists()]
        taken = (Path(f"{aside}{ending}").exists() for ending in ("", *logs))
        if not any(taken):
            return aside
    raise AssertionError


def _beside(target: LedgerFile, ending: str) -> Path:
    return target.path.with_name(target.path.name + ending)


def _command(url: URL, source: Path) -> str:
    conninfo, _ = conninfo_of(url.difference_update_query(SECRET_OPTIONS))
    options = ("--clean", "--if-exists", "--single-transaction")
    return shlex.join(["pg_restore", *options, f"--dbname={conninfo}", str(source)])
