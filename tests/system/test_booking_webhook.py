"""Both receivers of notifications on real sockets: orders to one, requests for tables to the other.

Rule: orders, deliveries and bookings are events only; all behind them is the shop's own, opened
from its settings.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio
from standardwebhooks import Webhook as Verifier

from actors import open_system
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import new_ledger, running
from cafe.ledger.store import open_store
from cafe.notifications.department import open_notifications
from cafe.settings import read_settings
from tests.cafe.house import empty_house
from tests.cafe.notifications.post import (
    BOOKINGS,
    DELIVERY,
    EVENTS,
    PARTY,
    REQUESTS,
    RIDES,
    STEPS,
    basket,
    request,
    step,
)
from tests.cafe.notifications.receiver import SocketReceiver, answering, open_receiver, stalling
from tests.system.notifying import SECRET
from tests.system.paying import open_providers
from tests.system.until import until

pytestmark = pytest.mark.once


@dataclass(frozen=True, slots=True)
class Town:
    """Where things happen that are told."""

    orders: Journal
    delivery: Journal
    bookings: Journal

    async def order(self, order_id: str, *actions: str) -> None:
        """Let something happen to a basket's order."""
        await self.orders.commit(
            *(step(order_id, a, STEPS[a], time.time(), basket(17)) for a in actions)
        )

    async def ride(self, order_id: str, *actions: str) -> None:
        """Let something happen on the street."""
        await self.delivery.commit(
            *(step(order_id, a, RIDES[a], time.time(), basket(17)) for a in actions)
        )

    async def book(self, booking_id: str, *actions: str) -> None:
        """Let something happen to a booking."""
        await self.bookings.commit(
            *(step(booking_id, a, REQUESTS[a], time.time(), request()) for a in actions)
        )


@asynccontextmanager
async def open_town(url: str, **settings: str) -> AsyncGenerator[Town]:
    """Open notifications as the shop does."""
    store = open_store(url)
    try:
        async with (
            running(new_ledger(store, time.time), 1.0) as ledger,
            open_system() as system,
            trio.open_nursery() as nursery,
        ):
            journals = [(await ledger.open(one))[0] for one in (EVENTS, DELIVERY, BOOKINGS)]
            house = replace(
                empty_house(system, ledger),
                settings=read_settings({"notification_secret": SECRET, **settings}),
            )
            offer = await open_notifications(house)
            for task in offer.tasks:
                nursery.start_soon(task)
            yield Town(*journals)
            nursery.cancel_scope.cancel()
    finally:
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of an empty ledger."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path_factory.mktemp('ledger')}/cafe.db"


def statuses(receiver: SocketReceiver) -> list[str]:
    return [call.content["status"] for call in receiver.calls]


def booking_ids(program: SocketReceiver) -> set[str]:
    """Return what was told; twice where the answer was not recorded at the end."""
    return {call.content["booking_id"] for call in program.calls}


async def test_each_receiver_is_told_its_own_signed_with_the_one_secret(url: str) -> None:
    async with open_receiver() as receiver, open_receiver() as program:
        urls = {"notification_url": receiver.url, "booking_webhook": program.url}
        async with open_town(url, **urls) as town:
            await town.order("o1", "place", "start", "finish")
            await town.ride("o1", "wait", "assign", "pick up", "fail")
            await town.book("b1", "request", "accept")
            await until(lambda: len(receiver.calls) == 6 and program.calls)
    assert statuses(receiver) == [
        *("waiting", "preparation", "ready"),
        *("assigned", "picked_up", "failed"),
    ]
    (call,) = program.calls
    assert call.content == {
        "event_id": call.headers["webhook-id"],
        "sequence": 1,
        "booking_id": "b1",
        "status": "requested",
        "occurred_at": call.content["occurred_at"],
        **PARTY,
    }
    for one in (*receiver.calls, call):
        assert Verifier(SECRET).verify(one.body, one.headers) == one.content


@pytest.mark.parametrize("down", ["notification_url", "booking_webhook"])
async def test_one_that_never_answers_holds_nothing_of_the_other(url: str, down: str) -> None:
    async with open_receiver() as receiver, open_receiver() as program:
        stalled, well = (receiver, program) if down == "notification_url" else (program, receiver)
        stalled.answer = lambda _call: stalling
        well.answer = lambda _call: answering(204, body=b"")
        urls = {"notification_url": receiver.url, "booking_webhook": program.url}
        async with open_town(url, **urls) as town:
            for number in range(150):  # more than there are slots
                await town.order(f"o{number}", "place")
                await town.book(f"b{number}", "request")
            await until(lambda: len(well.calls) == 150)
            assert len(stalled.calls) <= 100


async def test_a_webhook_without_the_other_url_and_later_with_it(url: str) -> None:
    async with open_receiver() as receiver, open_receiver() as program:
        async with open_town(url, booking_webhook=program.url) as town:
            await town.order("o1", "place")
            await town.book("b1", "request")
            await until(lambda: program.calls)
        async with open_town(
            url, booking_webhook=program.url, notification_url=receiver.url
        ) as town:
            await town.order("o1", "start")
            await town.book("b2", "request")
            await until(lambda: receiver.calls and booking_ids(program) == {"b1", "b2"})
        assert statuses(receiver) == ["preparation"]


async def test_the_stand_in_for_a_booking_program_takes_requests_and_lists_them(
    tmp_path: Path,
) -> None:
    with open_providers("--bookings", "lose") as providers:
        webhook = providers.settings["booking_webhook"]
        async with open_town(f"sqlite:///{tmp_path}/cafe.db", booking_webhook=webhook) as town:
            await town.book("b1", "request")
            await until(lambda: providers.done("bookings"))
            providers.behave(bookings="accept")
            await until(lambda: providers.done("bookings")[0]["asked"] == 2)
        (one,) = providers.done("bookings")
        assert (one["body"]["booking_id"], one["body"]["party"]) == ("b1", 4)
        assert providers.done("notifications") == []
