"""The secret that signs tokens: from the settings, or made once and stored beside the database.

Rule: only the owner of the file may read it, and the file appears with its whole content. It is
never shown or logged. For a database on a server, or in memory, it is in a table.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

import trio
from sqlalchemy import Connection, insert

from cafe.accounts.queries import read_secret
from cafe.accounts.tables import token_secret
from cafe.ledger.checking import open_reader
from cafe.ledger.database import is_in_memory, parse_address
from cafe.ledger.ledger import Ledger
from cafe.setting_types import LEAST_SECRET
from cafe.settings import Settings, SettingsError

SECRET_BYTES: Final = 32


async def open_secret(settings: Settings, ledger: Ledger) -> bytes:
    """Return the secret of a shop that opens; the first time, also make and store it.

    Raises SettingsError for a file that others can read, or that cannot be used.
    """
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value().encode()
    file = secret_file(settings)
    if file is None:
        return await ledger.prepare(load_secret)
    return await trio.to_thread.run_sync(load_file, file)


def find_secret(settings: Settings) -> bytes:
    """Return the secret of a shop that runs, for a command beside it.

    Raises SettingsError if there is none, or an error of `open_reader`.
    """
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value().encode()
    file = secret_file(settings)
    if file is not None:
        return read_file(file)
    with open_reader(settings.ledger_url) as connection:
        secret = read_secret(connection)
    if secret is None:
        raise SettingsError("The shop has made no secret yet; start it first.")
    return bytes(secret)


def secret_file(settings: Settings) -> Path | None:
    """Return the file that has the secret; None if a table has it."""
    url = parse_address(settings.ledger_url)
    if url.drivername != "sqlite" or is_in_memory(url):
        return None
    return Path(f"{url.database}.secret")


def load_secret(connection: Connection) -> bytes:
    """Return the secret in the database; the first time, also make it."""
    secret = read_secret(connection)
    if secret is None:
        secret = secrets.token_bytes(SECRET_BYTES)
        connection.execute(insert(token_secret).values(id=1, secret=secret))
    return bytes(secret)


def load_file(file: Path) -> bytes:
    """Return the secret in a file; if there is no such file, make it."""
    if not file.exists():
        try:
            _make_file(file)
        except FileExistsError:
            pass  # another process made it meanwhile
        except OSError as error:
            raise SettingsError(f"{file} cannot be written: {error.strerror}") from None
    return read_file(file)


def read_file(file: Path) -> bytes:
    """Return the secret in a file; raises SettingsError."""
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            secret = opened.read().strip()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"{file} signs tokens, and others can read it; run: chmod 600 {file}")
    if len(secret) < LEAST_SECRET:
        raise SettingsError(f"{file} holds no secret of {LEAST_SECRET} bytes or more")
    return secret


def _make_file(file: Path) -> None:
    """Create the file with a new secret, atomically; raises FileExistsError."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_hex(SECRET_BYTES).encode() + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        os.link(draft, file)
    finally:
        draft.unlink()
