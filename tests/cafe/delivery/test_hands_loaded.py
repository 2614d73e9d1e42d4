"""What couriers have in hand, loaded again at a front that has missed a part of the log."""

from __future__ import annotations

import trio
import trio.testing

from cafe.delivery.hands import Hands, InHand
from cafe.delivery.tables import deliveries
from cafe.ledger.department import Event, Logged, Put

ACCOUNTS = {"ada": "account-ada", "bo": "account-bo"}


def assigned(order_id: str, courier_id: str) -> Logged:
    """Return the event of a delivery that a courier gets."""
    row = dict.fromkeys(deliveries.c.keys()) | {
        "order_id": order_id,
        "courier_id": courier_id,
        "status": "assigned",
    }
    event = Event(order_id, "assign", "waiting", "assigned", 0.0)
    return Logged(1, "delivery", event, (Put(deliveries, tuple(row.values())),))


async def test_what_is_heard_while_it_loads_is_not_lost() -> None:
    hands, heard = Hands({}, {}), list[object]()
    hands.listen(heard.append)
    read = trio.Event()

    async def load() -> InHand:
        await read.wait()
        return InHand(dict(ACCOUNTS), {"o1": "ada"})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hands.load, load)
        await trio.testing.wait_all_tasks_blocked()
        hands.hear([assigned("o1", "bo")])
        read.set()
    assert heard == [set(ACCOUNTS.values())], "any of them may have missed something"
    hands.hear([assigned("o1", "ada")])
    assert heard[1:] == [{"account-bo", "account-ada"}]
