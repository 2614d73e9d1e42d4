"""Two small departments for the tests of the ledger, and an actor that writes for one of them.

SHELF is chained: what it writes rests on what it wrote before. GUESTBOOK is not.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    MetaData,
    Table,
    Text,
    select,
)

from actors import Actor, ActorError, Message, Ref, Refusal, Reply, System, open_system
from actors.testing import settle
from cafe.http.refusals import CafeRefusal
from cafe.ledger.database import Link
from cafe.ledger.department import Department, Drop, Entry, Event, Put
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger, new_ledger, running
from cafe.ledger.tables import CONSTANT
from cafe.pace import Pace
from tests.cafe.ledger.fakes import Disk, FaultyStore

metadata = MetaData()
boxes = Table(
    "boxes",
    metadata,
    Column("box", Text, primary_key=True),
    Column("colour", Text, nullable=False, info=CONSTANT),
)
jars = Table(
    "jars",
    metadata,
    Column("jar", Text, primary_key=True),
    Column("grams", BigInteger, CheckConstraint("grams >= 0"), nullable=False),
    Column("seal", Text, unique=True),
    Column("box", Text, ForeignKey("boxes.box")),
)
guests = Table(
    "guests", metadata, Column("name", Text, CheckConstraint("name <> ''"), primary_key=True)
)
TOO_LITTLE = -1
"""Grams that the database refuses."""


def load_jars(connection: Connection) -> dict[str, int]:
    """Return the grams in each jar."""
    return {jar: grams for jar, grams, *_ in connection.execute(select(jars))}


def load_guests(connection: Connection) -> set[str]:
    return set(connection.execute(select(guests.c.name)).scalars())


SHELF = Department(
    "shelf",
    tables=(boxes, jars),
    load=load_jars,
    transitions={(None, "fill"): "full", ("full", "fill"): "full", ("full", "drop"): "gone"},
)
GUESTBOOK = Department(
    "guestbook",
    tables=(guests,),
    load=load_guests,
    transitions={(None, "sign"): "signed"},
    remembers=False,
)


def fill(jar: str, grams: int = 250, *, at: float = 0.0) -> Entry:
    return Entry(Event(jar, "fill", None, "full", at), (Put(jars, (jar, grams, None, None)),))


def drop(jar: str, *, at: float = 0.0) -> Entry:
    return Entry(Event(jar, "drop", "full", "gone", at), (Drop(jars, (jar,)),))


def sign(name: str, *, at: float = 0.0) -> Entry:
    return Entry(Event(name or "nobody", "sign", None, "signed", at), (Put(guests, (name,)),))


@dataclass(frozen=True, slots=True)
class Write(Message["Clerk", str]):
    """Writes entries as one unit, if there are any, and answers through the journal."""

    entries: tuple[Entry, ...] = ()
    answer: str = "written"
    refusal: CafeRefusal | None = None


class Clerk(Actor):
    """Writes what it is asked to write."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    @Write.deferred
    def write(self, message: Write, reply: Reply[str]) -> None:
        if message.entries:
            self.journal.write(*message.entries)
        if message.refusal is None:
            self.journal.reply(reply, message.answer)
        else:
            self.journal.refuse(reply, message.refusal)


@dataclass
class Askers:
    """Ask in tasks of their own, and keep the answers in the order of their arrival, with times."""

    nursery: trio.Nursery
    answers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    times: dict[str, float] = field(default_factory=dict[str, float])

    async def ask(self, clerk: Ref[Clerk], name: str, *entries: Entry) -> None:
        """Ask in a task of its own, and return when the clerk has had its turn."""
        await self.send(clerk, name, Write(entries))

    async def send(self, clerk: Ref[Clerk], name: str, message: Write) -> None:
        self.nursery.start_soon(self._ask, clerk, name, message)
        await settle()

    async def _ask(self, clerk: Ref[Clerk], name: str, message: Write) -> None:
        try:
            answer = await clerk.ask(message)
        except (Refusal, ActorError) as error:
            answer = type(error).__name__
        self.answers.append((name, answer))
        self.times[name] = trio.current_time()

    def of(self, name: str) -> str | None:
        """Return one asker's answer; None if there is none."""
        return dict(self.answers).get(name)


@dataclass
class Shop:
    """A ledger that runs in virtual time, with its actors and askers."""

    ledger: Ledger
    store: FaultyStore
    disk: Disk
    system: System
    askers: Askers

    async def open(self, department: Department[Any]) -> Ref[Clerk]:
        """Start a clerk with the department's next journal."""
        journal, _ = await self.ledger.open(department)
        return await self.system.start(lambda: Clerk(journal))

    @property
    def jars(self) -> dict[str, int]:
        """Return what is committed, also while the database is gone."""
        with Link.transaction(self.store.link, writing=False) as connection:
            return load_jars(connection)

    @property
    def guests(self) -> set[str]:
        with Link.transaction(self.store.link, writing=False) as connection:
            return load_guests(connection)

    @property
    def subjects(self) -> list[str]:
        """Return whose events are committed, in the order of their positions."""
        return [one.event.subject for one in self.store.logged]


def add_tables(store: FaultyStore) -> None:
    """Make the tables of these departments."""
    with Link.transaction(store.link, writing=True) as connection:
        metadata.create_all(connection)


@asynccontextmanager
async def open_shop(
    store: FaultyStore | None = None,
    *,
    writing: float = 1.0,
    clock: Callable[[], float] = trio.current_time,
    grace: float = 60.0,
    lost_seconds: float = 0.0,
    pace: Pace | None = None,
) -> AsyncGenerator[Shop]:
    """Run a ledger whose commits take so many seconds, and whose reads take none."""
    store, disk = store or FaultyStore(), Disk(0.0)
    add_tables(store)
    ledger = new_ledger(store, clock, disk, Disk(0.0), pace=pace)
    async with (
        running(ledger, grace, lost_seconds),
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        shop = Shop(ledger, store, disk, system, Askers(nursery))
        await ledger.ping()
        disk.seconds = writing
        yield shop
        nursery.cancel_scope.cancel()
