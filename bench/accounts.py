"""A million accounts: the start, the memory, and the cost of a sign-in and of a signed-in request.

The peer is the same café with a thousand accounts. The accounts are written by plain SQL, into the
tables that the café itself has made, each with a sign-in. Then both get the same requests, of
accounts chosen at random, each of which is read from the database once. Times are the server's
processor time, to which other work on the machine adds nothing; most of that of a sign-in is the
hash of the password.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, time
from typing import NamedTuple

import httpx
from argon2 import PasswordHasher

from bench.ledger import make_ledger
from bench.processes import Server, cafe, serving
from bench.report import Row, Scale, at_most, progress
from cafe.accounts.tokens import Tokens, tokens_of

FEW = 1_000
MOST_START = 1.2
MOST_MEMORY = 1.1
MOST_SIGN_IN = 1.2
MOST_LOOK = 1.5
SIGN_INS, LOOKS = 20, 1_000
SECRET = "a secret of the benchmarks, and long enough"  # noqa: S105 - protects nothing
PASSWORD = "correct horse"  # noqa: S105 - as above
OPTIONS = ("--jwt-secret", SECRET, "--limit-requests", "1000000")

# The value of each column that may not be NULL, in SQL; `n` is the account's number.
ACCOUNT: Mapping[str, str] = {
    "account_id": "printf('account-%08d', n)",
    "email": "printf('u%08d@example.com', n)",
    "folded": "printf('u%08d@example.com', n)",
    "role": "'customer'",
    "status": "'active'",
    "password_hash": ":hash",
    "epoch": "0",
    "registered_at": ":at",
}
SIGN_IN: Mapping[str, str] = {
    "sign_in_id": "printf('sign-in-%08d', n)",
    "account_id": "printf('account-%08d', n)",
    "role": "'customer'",
    "epoch": "0",
    "status": "'signed in'",
    "started_at": ":at",
    "generation": "0",
    "issued_at": ":at",
    "before": "'[]'",
}
EVENTS: tuple[Mapping[str, str], ...] = tuple(
    {
        "position": position,
        "department": "'accounts'",
        "subject": subject,
        "action": action,
        "after": after,
        "at": ":at",
    }
    for position, subject, action, after in (
        ("2 * n - 1", ACCOUNT["account_id"], "'register'", "'active'"),
        ("2 * n", SIGN_IN["sign_in_id"], "'sign in'", "'signed in'"),
    )
)
NUMBERS = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :accounts)
"""


class Figures(NamedTuple):
    """The figures of one café in one round, or the best of all rounds."""

    start: float
    """Seconds until the ports are open."""
    memory: float
    """MiB after the requests."""
    sign_in: float
    """Milliseconds."""
    look: float
    """Milliseconds for a request of an account that was not asked for before."""


def measure(scale: Scale) -> list[Row]:
    """Measure both sides in turn, round after round."""
    with TemporaryDirectory() as folder:
        files = {Path(folder, f"{number}.db"): number for number in (scale.accounts, FEW)}
        for file, number in files.items():
            make_ledger(file)
            began = perf_counter()
            write_accounts(file, number)
            progress(f"accounts: {number:,} are in a file, after {perf_counter() - began:.0f} s")
        seen: dict[int, list[Figures]] = {number: [] for number in files.values()}
        for number in range(scale.rounds):
            for file in list(files)[:: -1 if number % 2 else 1]:
                seen[files[file]].append(figures_of(file, files[file]))
                progress(f"accounts, round {number + 1}: {files[file]:,} {seen[files[file]][-1]}")
    # The least, because other work on the machine can only add to it.
    many, few = (Figures(*map(min, zip(*seen[one], strict=True))) for one in seen)
    return rows(scale.accounts, many, few)


def rows(accounts: int, many: Figures, few: Figures) -> list[Row]:
    """Compare both."""
    table: list[tuple[str, str, float, float, float]] = [
        ("processor time until the ports are open", "s", many.start, few.start, MOST_START),
        ("memory after the requests", "MiB", many.memory, few.memory, MOST_MEMORY),
        ("processor time of a sign-in", "ms", many.sign_in, few.sign_in, MOST_SIGN_IN),
        ("the same of GET /auth/me, each of another account", "ms", many.look, few.look, MOST_LOOK),
    ]
    return [
        Row(
            f"{what}, {accounts:,} accounts",
            f"{ours:.2f} {unit}",
            f"{peers:.2f} {unit}",
            f"the café with {FEW:,}",
            ours / peers,
            *at_most(most, ours / peers),
        )
        for what, unit, ours, peers, most in table
    ]


def figures_of(file: Path, accounts: int) -> Figures:
    """Start a café, and make the requests."""
    tokens = tokens_of(SECRET.encode())
    numbers = random.Random(accounts).sample(range(1, accounts + 1), LOOKS)  # noqa: S311 - no secret
    with serving((*cafe(f"sqlite:///{file}"), *OPTIONS)) as server:
        start = server.processor_seconds()
        url = f"http://127.0.0.1:{server.client_port}"
        with httpx.Client(base_url=url, timeout=60) as client:
            looks = cost(server, [partial(look, client, tokens, number) for number in numbers])
            signing = [partial(sign_in, client, number) for number in numbers[:SIGN_INS]]
            signed = cost(server, signing)
        return Figures(start, server.memory() / 2**20, signed, looks)


def cost(server: Server, calls: Sequence[Callable[[], None]]) -> float:
    """Return the milliseconds of the server's processor time for each call."""
    server.settle()
    before = server.processor_seconds()
    for call in calls:
        call()
    return (server.processor_seconds() - before) * 1_000 / len(calls)


def look(client: httpx.Client, tokens: Tokens, number: int) -> None:
    """Request the account that has signed in."""
    names = f"account-{number:08d}", "customer", f"sign-in-{number:08d}"
    headers = {"Authorization": f"Bearer {tokens.access(*names, time())}"}
    client.get("/auth/me", headers=headers).raise_for_status()


def sign_in(client: httpx.Client, number: int) -> None:
    """Sign in."""
    form = {"username": f"u{number:08d}@example.com", "password": PASSWORD}
    client.post("/auth/token", data=form).raise_for_status()


def write_accounts(file: Path, accounts: int) -> None:
    """Write this many accounts with a sign-in each, and their events."""
    values = {
        "accounts": accounts,
        "at": time() - 3_600.0,
        "hash": PasswordHasher().hash(PASSWORD),
    }
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")  # this file need not survive a crash
        for table, columns in (
            ("accounts", ACCOUNT),
            ("sign_ins", SIGN_IN),
            *(("events", event) for event in EVENTS),
        ):
            connection.execute(insert(table, columns), values)


def insert(table: str, columns: Mapping[str, str]) -> str:
    """Return the statement that fills a table's columns."""
    names = ", ".join(f'"{column}"' for column in columns)
    return (  # our own names and values
        f"INSERT INTO {table} ({names}) {NUMBERS} SELECT {', '.join(columns.values())} FROM numbers"  # noqa: S608 - see above
    )
