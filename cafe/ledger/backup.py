"""Backup of a SQLite ledger while the shop runs, and restore.

Rule: a copy is complete or absent: it is written under a temporary name, and renamed at the end.
Whenever a restore is killed, the next owner finds either the complete former ledger or the
restored one.

Theory of operation. A ledger is a file and a log that belong together, and no file system replaces
two files at once: a copy beside the former log is overwritten by it. So the copy is completed and
then renamed to `cafe.db.restored`: from then on it is to be the ledger. The next owner of the
ledger, this process or a shop that starts, does the remaining steps: `complete_restore`.

PostgreSQL has its own programs for both; the errors here quote the commands.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from math import inf
from pathlib import Path
from tempfile import mkstemp

from sqlalchemy.engine import URL

from cafe.ledger.checking import open_reader
from cafe.ledger.database import SECRET_OPTIONS, is_in_memory, parse_address
from cafe.ledger.errors import LedgerError, WrongDatabaseError, translating
from cafe.ledger.shops import PREFIX, schema_of, shop_of, without_shop
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
    """Copy the ledger into a new file, a database that a shop can open; return its size in bytes.

    Raises BackupError, also on PostgreSQL, and what `open_reader` raises.
    """
    url = parse_address(address)
    if os.path.lexists(target):
        raise BackupError(f"{target} is there already; nothing was copied.")
    with open_reader(address):
        pass  # it is a ledger that can be read, or this raises
    if url.drivername != "sqlite":
        dump = _command(f"pg_dump --format=custom {_schema_option(url)}", url)
        raise BackupError(f"The shop may run; run: {dump} {shlex.quote(f'--file={target}')}")
    try:
        return _write_new(target, lambda part: _copy_file(url, part))
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror}.") from None


def _write_new(target: Path, write: Callable[[Path], None]) -> int:
    handle, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    part = Path(name)
    try:
        write(part)
        os.fsync(handle)
        size = part.stat().st_size
        os.link(part, target)
        sync_folder(target.parent)
    except FileExistsError:
        raise BackupError(f"{target} was made meanwhile; nothing was copied.") from None
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
        # All pages in one step: with more, each commit of the shop would make it start over.
        source.backup(copy)
        # One file without a log, which can be read in a read-only folder, too.
        copy.execute("PRAGMA journal_mode = DELETE")


class RestoreError(LedgerError):
    """Nothing was restored; the ledger is as it was."""


def restore(address: str, source: Path) -> Path | None:
    """Make a copy of `source` the ledger, and return the former ledger's new name, if any.

    Raises DatabaseInUse while a shop owns the ledger, NotALedger if no shop could open `source`,
    and RestoreError, also on PostgreSQL.
    """
    url = parse_address(address)
    if url.drivername != "sqlite":
        command = _command("pg_restore --clean --if-exists --single-transaction", url)
        raise RestoreError(f"Stop the shop, and run: {command} {shlex.quote(str(source))}")
    if is_in_memory(url):
        raise WrongDatabaseError("A ledger in memory cannot be restored.")
    target = LedgerFile(Path(os.path.realpath(str(url.database))), str(url.database))
    copied = _checked(source, target)
    try:
        return _replace(copied, target)
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


def _replace(copied: LedgerFile, target: LedgerFile) -> Path | None:
    if not target.path.parent.is_dir():
        raise RestoreError(f"There is no folder {target.path.parent}.")
    owner = OwnerFile(target.path)
    owner.take()
    try:
        complete_restore(target)  # an earlier one, that was interrupted
        draft = beside(target, ".restoring")
        _write_draft(copied, draft)
        _copy_permissions(draft, target.path)
        draft.rename(beside(target, ".restored"))
        sync_folder(draft.parent)
        return complete_restore(target)
    finally:
        owner.release()


def _write_draft(copied: LedgerFile, draft: Path) -> None:
    for leftover in (draft, *(draft.with_name(draft.name + ending) for ending in LOGS)):
        leftover.unlink(missing_ok=True)
    draft.touch(0o600, exist_ok=False)
    with translating(), copied.untouched() as source, closing(sqlite3.connect(draft)) as copy:
        source.backup(copy)
        # One file without a log.
        copy.execute("PRAGMA journal_mode = DELETE")
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _copy_permissions(draft: Path, former: Path) -> None:
    """Let the same users read and write the copy, also when root restores it."""
    if former.exists():
        shutil.copymode(former, draft)
    if os.geteuid() == 0:
        like = (former if former.exists() else former.parent).stat()
        os.chown(draft, like.st_uid, like.st_gid)


def _schema_option(url: URL) -> str:
    """Return the option that dumps this shop's schema, or all but the schemas of named shops."""
    schema = schema_of(shop_of(url))
    return f"--exclude-schema={PREFIX}*" if schema is None else f"--schema={schema}"


def _command(program: str, url: URL) -> str:
    """Return a command of PostgreSQL's, without a password: others on the machine can read it."""
    # Here, because a shop on SQLite imports this module with all commands, and needs no driver.
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    query = without_shop(url).difference_update_query(SECRET_OPTIONS).query
    options = {name: ",".join([v] if isinstance(v, str) else v) for name, v in query.items()}
    parts = url.translate_connect_args(username="user", database="dbname")
    parts.pop("password", None)
    conninfo = make_conninfo(**options | {name: str(value) for name, value in parts.items()})
    return shlex.join([*program.split(), f"--dbname={conninfo}"])
