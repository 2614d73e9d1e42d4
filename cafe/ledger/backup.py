"""A copy of a ledger that is taken while the shop runs, and how a copy is put back.

Rule: a copy is whole or it is not there: it is written under another name, and gets its own name at
the end. Whenever a restore is killed, the next owner finds the former ledger, whole, or the
restored one.

Theory of operation. A ledger is a file and a log that belong together, and no file system replaces
two files at once: a copy beside the former log is overwritten by it. So the copy is made whole and
gets the name `cafe.db.restored`, which decides that it is to be the ledger. What is left is done by
the process that owns the ledger then, this one or a shop that starts: `complete_restore`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from math import inf
from pathlib import Path
from tempfile import mkstemp

from sqlalchemy.engine import URL

from cafe.ledger.checking import open_reader
from cafe.ledger.database import SECRET_OPTIONS, is_in_memory, parse_address, secrets_of
from cafe.ledger.errors import LedgerError, WrongDatabaseError, translating
from cafe.ledger.sqlite_file import (
    LOGS,
    LedgerFile,
    OwnerFile,
    beside,
    complete_restore,
    connect_to_file,
    existing_file,
    sync_folder,
)


class BackupError(LedgerError):
    """There is no copy; the ledger is as it was."""


def back_up(address: str, target: Path) -> int:
    """Copy the ledger into a new file, and give its size in bytes.

    SQLite: a database that a shop can open. PostgreSQL: an archive for pg_restore. Raises
    BackupError, and what `open_reader` raises.
    """
    url = parse_address(address)
    if os.path.lexists(target):
        raise BackupError(f"{target} is there already; nothing was copied.")
    with open_reader(address):
        pass  # it is a ledger that can be read, or this raises
    copy = _copy_file if url.drivername == "sqlite" else _dump
    try:
        return _put(target, lambda part: copy(url, part))
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror}.") from None


def _put(target: Path, write: Callable[[Path], None]) -> int:
    handle, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)  # for its owner only
    part = Path(name)
    try:
        write(part)
        os.fsync(handle)
        size = part.stat().st_size
        os.link(part, target)
        sync_folder(target.parent)
    except FileExistsError:
        raise BackupError(f"{target} has come meanwhile; nothing was copied.") from None
    finally:
        os.close(handle)
        part.unlink()
    return size


def _copy_file(url: URL, part: Path) -> None:
    with (
        translating(),
        closing(connect_to_file(existing_file(url))) as source,
        closing(sqlite3.connect(part)) as copy,
    ):
        # All pages in one step: with more, each commit of the shop would make it begin again.
        source.backup(copy)
        # One file that needs none beside it, also where nothing can be written.
        copy.execute("PRAGMA journal_mode = DELETE")


def _dump(url: URL, part: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupError(
            "pg_dump is not here; it comes with PostgreSQL's client (on Debian: apt install "
            "postgresql-client)."
        )
    conninfo, secret = conninfo_of(url)
    command = [program, "--format=custom", "--no-password", f"--file={part}"]
    done = subprocess.run(  # noqa: S603 - no shell, and libpq reads the address as the shop does
        [*command, f"--dbname={conninfo}"],
        env={**os.environ, **secret},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"pg_dump failed: {_first_line(done.stderr, secrets_of(url))}")


def conninfo_of(url: URL) -> tuple[str, dict[str, str]]:
    """Return what libpq is told of a server, and the password apart, as a variable.

    What stands on a command line is seen by everybody on the machine.
    """
    # Here, because a shop on SQLite imports this module with all commands, and needs no driver.
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    asked = {name: ",".join([v] if isinstance(v, str) else v) for name, v in url.query.items()}
    parts = url.translate_connect_args(username="user", database="dbname")
    options = {**asked, **{name: str(value) for name, value in parts.items()}}
    password = options.pop("password", None)
    return make_conninfo(**options), {} if password is None else {"PGPASSWORD": password}


def _first_line(said: str, secrets: tuple[str, ...]) -> str:
    line = (said.splitlines() or ["it does not say why"])[0]
    for secret in secrets:
        line = line.replace(secret, "***")
    return line.removeprefix("pg_dump: error: ")


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
        return _put_back(copied, target)
    except OSError as error:
        raise RestoreError(f"{target.name} cannot be replaced: {error.strerror}.") from None


def _checked(source: Path, target: LedgerFile) -> LedgerFile:
    path = existing_file(URL.create("sqlite", database=str(source)))
    if target.path.exists() and path.samefile(target.path):
        raise RestoreError(f"{source} is the ledger itself.")
    copied = LedgerFile(path.resolve(), str(source))
    with translating():
        copied.refuse_damaged(largest=inf)
    return copied


def _put_back(copied: LedgerFile, target: LedgerFile) -> Path | None:
    if not target.path.parent.is_dir():
        raise RestoreError(f"There is no folder {target.path.parent}.")
    owner = OwnerFile(target.path)
    owner.take()
    try:
        complete_restore(target)  # an earlier one, that was interrupted
        draft = beside(target, ".restoring")
        _draft(copied, draft)
        _liken(draft, target.path)
        draft.rename(beside(target, ".restored"))
        sync_folder(draft.parent)
        return complete_restore(target)
    finally:
        owner.release()


def _draft(copied: LedgerFile, draft: Path) -> None:
    for leftover in (draft, *(draft.with_name(draft.name + ending) for ending in LOGS)):
        leftover.unlink(missing_ok=True)
    with translating(), copied.untouched() as source, closing(sqlite3.connect(draft)) as copy:
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


def _command(url: URL, source: Path) -> str:
    conninfo, _ = conninfo_of(url.difference_update_query(SECRET_OPTIONS))
    options = ("--clean", "--if-exists", "--single-transaction")
    return shlex.join(["pg_restore", *options, f"--dbname={conninfo}", str(source)])
