"""A copy of a ledger, taken while the shop runs.

Rule: the copy is whole or it is not there. It is written beside its place under another name, and
gets its own name at the end, which fails where there is a file of that name.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import mkstemp

from sqlalchemy.engine import URL

from cafe.ledger.address import parse_address, secrets_of
from cafe.ledger.errors import LedgerError
from cafe.ledger.ledger_file import sync_folder
from cafe.ledger.link import telling
from cafe.ledger.reading import connect_to_file, existing_file, open_reader


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
        telling(),
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
    """Give what libpq is told of a server, and the password apart, as a variable.

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
