"""Tables of a shop that is killed again and again: who asks for them, and who gets them.

Rule: guests and managers note what they were answered, and nothing else. Afterwards each answer
holds in the ledger, no two accepted bookings of a table overlap, and nothing is left undecided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random

import httpx
from sqlalchemy import Connection, select

from cafe.bookings.booking import Booking, Status
from cafe.bookings.tables import booking_of, bookings
from cafe.http.authentication import Role
from cafe.ledger.tables import events
from tests.cafe.bookings.hall import overlapping_in
from tests.system.credentials import Fields, bearer, credentials
from tests.system.killing import Task, pause, taken
from tests.system.shop import Line, Shop

TABLES, GUESTS, MANAGERS = 2, 3, 2
SOON = (1.0, 4.0)
"""Seconds to the begin of a request that expires, unless it is decided before."""
EACH_ADDRESS = 15
"""Requests from one address: fewer than are allowed in an hour."""
NO_NOTICE = {"booking_notice_minutes": 0}

_numbers = count(1)


@dataclass
class Record:
    """What was answered, by all processes of a shop."""

    requested: set[str] = field(default_factory=set[str])
    moved: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Each booking with each status that an answer gave it, by its guest or a manager."""
    wrong: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Hall:
    """The tables, and who decides on them: they outlive each process."""

    chance: Random
    manager: Fields
    tables: Sequence[str]
    record: Record = field(default_factory=Record)

    def tasks(self, shop: Shop) -> Iterator[Task]:
        """Yield what goes on as long as the shop is open."""
        yield from [partial(self.ask, shop)] * GUESTS
        yield from [partial(self.decide, shop)] * MANAGERS
        yield partial(self.book, shop)

    async def ask(self, shop: Shop) -> None:
        """Request one table after the other, as other guests; cancel some."""
        while True:
            address = f"127.7.{next(_numbers) % 250}.{self.chance.randint(1, 250)}"
            async with shop.customers(address) as guest:
                for _ in range(EACH_ADDRESS):
                    await self._ask_once(guest)
                    await pause(self.chance, 0.2)

    async def _ask_once(self, guest: httpx.AsyncClient) -> None:
        is_soon = self.chance.random() < 0.3
        asked = await guest.post("/bookings", json=self._wish(is_soon=is_soon))
        # On a busy machine what begins soon has begun when it is asked for.
        request = taken(asked, self.record.wrong, *([422] if is_soon else []))
        if request is None:
            return
        self.record.requested.add(request["booking_id"])
        if self.chance.random() < 0.2:
            path = f"/bookings/{request['booking_id']}"
            self._note(await guest.delete(path, headers=bearer(request["token"])))

    def _wish(self, *, is_soon: bool) -> Line:
        """Return a request that overlaps others; some guests have no address for letters."""
        seconds = self.chance.uniform(*SOON) if is_soon else 3_600.0 * self.chance.randint(5, 40)
        begins = datetime.now(UTC) + timedelta(seconds=seconds)
        guest = {"email": f"guest-{next(_numbers)}@example.org"}
        if self.chance.random() < 0.2:
            guest = {"phone": "+49 30 123456"}
        return {
            "table_id": self.chance.choice(self.tables),
            "from": begins.isoformat(),
            "to": (begins + timedelta(hours=2)).isoformat(),
            "party": 2,
            **guest,
        }

    async def decide(self, shop: Shop) -> None:
        """Accept and decline requests, at the same time as the other managers."""
        async with shop.baristas(headers=self.manager) as manager:
            while True:
                request = await self._next_request(manager)
                if request is not None:
                    step = self.chance.choice(("accept", "accept", "decline"))
                    await self._move(manager, request["booking_id"], step)
                await pause(self.chance, 0.3)

    async def book(self, shop: Shop) -> None:
        """Book directly, and cancel some of that."""
        async with shop.baristas(headers=self.manager) as manager:
            while True:
                booked = await manager.post("/admin/bookings", json=self._wish(is_soon=False))
                booking = self._note(booked)
                if booking is not None and self.chance.random() < 0.5:
                    await self._move(manager, booking["booking_id"], "cancel")
                await pause(self.chance, 0.6)

    async def decline_all(self, shop: Shop) -> None:
        """Decline what is left, until it is cancelled."""
        async with shop.baristas(headers=self.manager) as manager:
            while True:
                request = await self._next_request(manager)
                if request is not None:
                    await self._move(manager, request["booking_id"], "decline")
                await pause(self.chance, 0.05)

    async def _next_request(self, manager: httpx.AsyncClient) -> Line | None:
        listed = await manager.get("/admin/bookings", params={"status": "requested", "limit": 5})
        page = taken(listed, self.record.wrong)
        found: list[Line] = [] if page is None else page["bookings"]
        return self.chance.choice(found) if found else None

    async def _move(self, manager: httpx.AsyncClient, booking_id: str, step: str) -> None:
        self._note(await manager.post(f"/admin/bookings/{booking_id}/{step}"))

    def _note(self, response: httpx.Response) -> Line | None:
        booking = taken(response, self.record.wrong)
        if booking is not None:
            self.record.moved.add((booking["booking_id"], booking["status"]))
            for other in booking.get("declined", ()):
                self.record.moved.add((other["booking_id"], "declined"))
        return booking


async def open_tables(shop: Shop, chance: Random) -> Hall:
    """Add the tables."""
    manager = await credentials(shop, Role.MANAGER)
    ids: list[str] = []
    async with shop.baristas(headers=manager) as client:
        for _ in range(TABLES):
            added = await client.post("/admin/tables", json={"type": "regular", "seats": 4})
            ids.append(added.raise_for_status().json()["table_id"])
    return Hall(chance, manager, ids)


def disagreements(connection: Connection, record: Record) -> Iterator[str]:
    """Yield a sentence for each answer that does not hold, and for what is left to decide."""
    yield from record.wrong
    rows = [booking_of(row) for row in connection.execute(select(*bookings.c))]
    by_id = {one.booking_id: one for one in rows}
    passed = _passed(connection)
    for booking_id in record.requested - by_id.keys():
        yield f"the request {booking_id} was answered, and is not there"
    for booking_id, status in record.moved - passed:
        yield f"the booking {booking_id} was answered to be {status}, and was not"
    for booking_id, status in record.moved:
        if status == Status.ACCEPTED and not _holds(by_id.get(booking_id)):
            yield f"the booking {booking_id} was accepted, and that does not hold"
    yield from (f"the request {one.booking_id} is open" for one in rows if _is_open(one))
    yield from (f"the bookings {one} and {other} overlap" for one, other in overlapping_in(rows))


def _passed(connection: Connection) -> set[tuple[str, str]]:
    """Return each booking with each status that it has come to."""
    ours = events.c.department == "bookings"
    query = select(events.c.subject, events.c.after).where(ours)
    return {(booking_id, status) for booking_id, status in connection.execute(query)}


def _holds(booking: Booking | None) -> bool:
    """Return whether a booking that was accepted is so, unless someone has cancelled it since."""
    return booking is not None and booking.status in {Status.ACCEPTED, Status.CANCELLED}


def _is_open(booking: Booking) -> bool:
    return booking.status is Status.REQUESTED
