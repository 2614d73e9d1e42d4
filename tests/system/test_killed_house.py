"""Kill rounds of the whole house: deliveries, bookings, letters and notifications survive kills.

Rule: the providers and the mail server live on, as real ones do. At the end nothing is left to do,
each answer holds, and each follower did for each event what it had to, once.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio

from cafe.ledger.checking import open_reader
from tests.system import killing_bookings, killing_deliveries
from tests.system.following import positions_in, unfollowed, unsent
from tests.system.history import broken_promises
from tests.system.killing import MOST_SHOWN, NO_LIMITS, run_until_killed
from tests.system.killing_bookings import NO_NOTICE, Hall, open_tables
from tests.system.killing_deliveries import LEASE, Streets, open_streets
from tests.system.mail_server import HOST, Inbox, open_inbox
from tests.system.paying import Providers, open_providers
from tests.system.shop import Shop, open_shop
from tests.system.until import TIMEOUT

pytestmark = [
    pytest.mark.once,
    # httpx leaves an iterator of a request's body open when a caller is cancelled while it is sent.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # aiosmtpd's, of servers that take a login without TLS.
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),
]

UNTIL_KILLED = (0.5, 2.5)


class House:
    """A shop with its database, and all that is outside of it."""

    def __init__(self, url: str, providers: Providers, inbox: Inbox) -> None:
        self.url, self.providers, self.inbox = url, providers, inbox

    def open(self, exit_code: int = 0) -> AbstractContextManager[Shop]:
        """Open the shop, which ends with this exit code."""
        settings: dict[str, Any] = {
            **NO_LIMITS,
            **NO_NOTICE,
            **self.providers.settings,
            "database_url": self.url,
            "delivery_lease_seconds": LEASE,
            "lease_seconds": LEASE,
            "smtp_url": f"smtp://{HOST}:{self.inbox.port}",
            "public_url": "https://cafe.example",
        }
        return open_shop(exit_code=exit_code, **settings)

    def wrong(self, streets: Streets, hall: Hall) -> list[str]:
        """Return a sentence for all that is wrong, or not done yet."""
        with open_reader(self.url) as connection:
            return [
                *killing_deliveries.disagreements(connection, streets.record),
                *killing_bookings.disagreements(connection, hall.record),
                *unfollowed(connection),
                *unsent(connection, self.inbox, self.providers),
            ]


async def play(house: House, *, kills: int, seed: int) -> None:
    """Kill a shop so often; raise AssertionError if anything is lost, repeated or left undone."""
    chance = Random(seed)  # noqa: S311 - repeatable, with the seed that a failure shows
    streets: Streets | None = None
    hall: Hall | None = None
    before: dict[str, int] = {}
    for _ in range(kills):
        with house.open(-signal.SIGKILL) as shop:
            streets = streets or await open_streets(shop, chance)
            hall = hall or await open_tables(shop, chance)
            tasks = (*streets.tasks(shop), *hall.tasks(shop))
            await run_until_killed(shop, tasks, chance.uniform(*UNTIL_KILLED))
        positions = await trio.to_thread.run_sync(positions_in, house.url)
        assert all(before.get(name, 0) <= position for name, position in positions.items())
        before = positions
    assert streets is not None
    assert hall is not None
    with house.open() as shop:
        await close(shop, house, streets, hall)
    assert house.wrong(streets, hall) == []
    assert await trio.to_thread.run_sync(broken_promises, house.url) == []
    print(*tally(streets, hall, house), sep=", ")  # noqa: T201 - pytest shows it if it is asked to
    assert streets.record.finished
    assert hall.record.moved
    assert house.inbox.taken


async def close(shop: Shop, house: House, streets: Streets, hall: Hall) -> None:
    """Bring all to its end: nothing new comes, what waits is worked off."""
    wrong = ["nothing was looked at"]
    async with trio.open_nursery() as nursery:
        for task in streets.work(shop, closing=True):
            nursery.start_soon(task)
        nursery.start_soon(hall.decline_all, shop)
        with trio.move_on_after(TIMEOUT):
            # In this thread, so that nothing is answered between the records and the reading.
            while wrong := house.wrong(streets, hall):  # noqa: ASYNC110 - as `until_asked`
                await trio.sleep(0.3)
        nursery.cancel_scope.cancel()
    assert wrong == [], "\n".join(wrong[:MOST_SHOWN])


def tally(streets: Streets, hall: Hall, house: House) -> Iterator[str]:
    """Yield how much was done."""
    yield f"deliveries {len(streets.record.orders)}"
    yield f"finished {len(streets.record.finished)}"
    yield f"cancelled {len(streets.record.cancelled)}"
    yield f"requests {len(hall.record.requested)}"
    yield f"decisions {len(hall.record.moved)}"
    yield f"letters {len(house.inbox.taken)}"


async def test_no_delivery_booking_or_letter_is_lost_or_repeated_whenever_the_shop_is_killed(
    tmp_path: Path, seed: int
) -> None:
    with open_providers() as providers, open_inbox() as inbox:
        await play(House(f"sqlite:///{tmp_path}/cafe.db", providers, inbox), kills=2, seed=seed)


async def test_the_same_holds_on_postgresql(postgresql: str, seed: int) -> None:
    with open_providers() as providers, open_inbox() as inbox:
        await play(House(postgresql, providers, inbox), kills=1, seed=seed)
