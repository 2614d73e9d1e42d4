"""The states that customers follow: the newest reach all readers, and nothing stops the task."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from random import Random

import pytest
import trio

from actors import ActorCrashed
from cafe.events.states import ALIVE_SECONDS, PACE_SECONDS, StateReader, States
from cafe.http.refusals import CafeRefusal
from cafe.orders.messages import CancelOrder
from cafe.orders.order import NEXT, Status
from cafe.orders.ready_board import READY_SECONDS, ReadyBoard
from tests.cafe.events.wall import Reader, Wall, open_wall
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.ledger.order_histories import NOON
from tests.cafe.orders.counter import open_counter, settled

pytestmark = pytest.mark.schedules(5)

LONG = 2 * PACE_SECONDS
"""Until each change has been shown."""


def numbers(reader: Reader, member: str) -> list[int]:
    return [one["number"] for one in reader.newest("board")[member]]


async def test_a_board_gets_the_state_of_now_and_then_each_change() -> None:
    async with open_wall() as wall:
        first = await wall.placed("Ada")
        board = await wall.reader()
        await trio.sleep(LONG)
        assert board.newest("board") == {
            "preparing": [],
            "ready": [],
            "waiting": 1,
            "preparing_count": 0,
            "eta_seconds": None,
            "accepting": True,
            "paused": None,
        }
        await wall.move(first, Status.PREPARATION)
        await trio.sleep(LONG)
        assert board.newest("board")["preparing"] == [{"number": 1, "name": "Ada"}]
        await wall.move(first, Status.READY)
        await trio.sleep(LONG)
        (ready,) = board.newest("board")["ready"]
        assert (ready["number"], ready["name"]) == (1, "Ada")
        await wall.move(first, Status.DELIVERED)
        await trio.sleep(LONG)
        # It was handed over late, so it has been collected.
        assert board.newest("board")["ready"] == []
        positions = [one.position for one in board.events("board")]
        assert positions == sorted(set(positions))


async def test_after_a_quiet_time_a_change_is_shown_at_once_and_then_at_a_pace() -> None:
    async with open_wall() as wall:
        board = await wall.reader()
        await trio.sleep(LONG)
        began, before = trio.current_time(), len(board.got)
        for number in range(30):
            await wall.placed()
            await trio.sleep(0.1)
            if number == 0:
                assert board.got[before].at == began
        times = [one.at for one in board.got[before:]]
        pauses = [later - at for at, later in pairwise(times)]
        assert pauses
        assert all(pause == pytest.approx(PACE_SECONDS) for pause in pauses)


async def test_a_cup_leaves_the_board_by_itself() -> None:
    async with open_wall() as wall:
        await wall.brewed(await wall.placed())
        board = await wall.reader()
        await trio.sleep(READY_SECONDS - LONG)
        assert numbers(board, "ready") == [1]
        await trio.sleep(2 * LONG)
        assert numbers(board, "ready") == []


async def test_silence_is_broken_by_a_comment() -> None:
    async with open_wall() as wall:
        board = await wall.reader()
        await trio.sleep(10 * ALIVE_SECONDS + LONG)
        assert len(board.events("board")) == 1
        times = [one.at for one in board.got]
        assert len(board.events("alive")) >= 9
        pauses = [later - at for at, later in pairwise(times)]
        assert max(pauses) <= ALIVE_SECONDS + PACE_SECONDS


async def test_an_orders_page_is_told_where_it_stands_and_nothing_twice() -> None:
    async with open_wall() as wall:
        first, second = await wall.placed(), await wall.placed("Bo")
        page = await wall.reader(second)
        await trio.sleep(LONG)
        assert (page.newest("order")["number"], page.newest("order")["position"]) == (2, 2)
        await wall.brewed(first)
        await trio.sleep(LONG)
        assert page.newest("order")["position"] == 1
        await wall.brewed(second)
        await trio.sleep(LONG)
        assert page.newest("order")["status"] == "ready"
        seen = len(page.events("order"))
        await wall.placed()
        await trio.sleep(10 * ALIVE_SECONDS)
        assert len(page.events("order")) == seen
        await wall.move(second, Status.DELIVERED)
        await trio.sleep(LONG)
        assert page.newest("order")["status"] == "delivered"


async def test_an_order_that_is_pruned_is_gone() -> None:
    async with open_wall() as wall:
        order_id = await wall.placed()
        await wall.counter.desk.find(order_id)
        page = await wall.reader(order_id)
        await trio.sleep(LONG)
        lost = StateReader(wall.states, ("never-there",))  # as an order that was pruned
        gone = Reader(lost)
        wall.nursery.start_soon(gone.read)
        await trio.sleep(LONG)
        assert gone.newest("gone") == {"order_id": "never-there"}
        assert page.events("gone") == []


async def test_a_slow_reader_skips_what_was_between_and_gets_the_newest() -> None:
    async with open_wall() as wall:
        slow = await wall.reader(seconds=10.0)
        await settled()
        for _ in range(30):
            await wall.placed()
            await trio.sleep(0.5)
        await trio.sleep(20)
        assert len(slow.events("board")) <= 5
        assert slow.newest("board")["waiting"] == 30


async def test_only_the_courier_who_is_concerned_is_signalled() -> None:
    async with open_wall() as wall:
        ada = await wall.reader(account_id="account-ada")
        bo = await wall.reader(account_id="account-bo")
        await trio.sleep(LONG)
        assert (len(ada.events("hand")), len(bo.events("hand"))) == (1, 1)
        wall.states.signal({"account-ada", "account-of-nobody-here"})
        await wall.placed()
        await trio.sleep(LONG)
        assert (len(ada.events("hand")), len(bo.events("hand"))) == (2, 1)


async def test_nothing_is_kept_of_readers_that_have_left() -> None:
    async with open_wall() as wall:
        order_id = await wall.placed()
        readers = [await wall.reader(order_id, account_id="account-ada") for _ in range(3)]
        await trio.sleep(LONG)
        for number, reader in enumerate(readers):
            assert len(vars(wall.states)["_orders"]) == 1, number
            reader.leave()
        assert vars(wall.states)["_orders"] == vars(wall.states)["_couriers"] == {}


async def test_a_crash_of_the_dispatcher_stops_nothing() -> None:
    async with open_wall() as wall:
        order_id = await wall.placed()
        page = await wall.reader(order_id)
        for _ in range(3):
            await wall.counter.crash()
            await trio.sleep(0.3)
        with suppress(ActorCrashed):
            await wall.move(order_id, Status.PREPARATION)
        await trio.sleep(5)
        assert page.newest("order")["status"] == "preparation"
        assert numbers(page, "preparing") == [1]


async def test_an_outage_of_the_database_stops_nothing() -> None:
    async with open_wall() as wall:
        order_id = await wall.placed()
        page = await wall.reader(order_id)
        wall.counter.store.link.gone = True
        with suppress(CafeRefusal):
            await wall.placed()
        await trio.sleep(60)
        assert page.events("alive")
        wall.counter.store.link.gone = False
        await trio.sleep(10)
        await wall.move(order_id, Status.PREPARATION)
        await trio.sleep(LONG + 5)
        assert page.newest("order")["status"] == "preparation"
        assert numbers(page, "preparing")[0] == 1


async def work(wall: Wall, chance: Random) -> None:
    """Place orders and move them on at random, while the Dispatcher crashes."""
    ids: list[str] = []
    for _ in range(40):
        await trio.sleep(chance.choice([0.0, 0.1, 1.0, 3.0]))
        with suppress(CafeRefusal, ActorCrashed):
            if chance.random() < 0.05:
                await wall.counter.crash()
            if not ids or chance.random() < 0.4:
                ids.append(await wall.placed())
            else:
                order_id = chance.choice(ids)
                status = NEXT.get((await wall.counter.desk.find(order_id)).order.status)
                if status is not None:
                    await wall.move(order_id, status)


def shown(reader: Reader, known: dict[str, object]) -> dict[str, object]:
    """Return the newest state of each thing that a page shows."""
    states = dict(known)
    for one in reader.got:
        if one.event == "board":
            states["board"] = one.data
        elif one.event == "order":
            name = one.data["order_id"]
            states[name] = (one.data["status"], one.data["position"])
    return states


Page = tuple[str, dict[str, object]]
"""The order that a page follows, and the states that it shows at its end."""


async def come_and_go(wall: Wall, order_id: str, chance: Random, pages: list[Page]) -> None:
    """Follow an order, leave, resume with the last id, again and again."""
    last, known = None, dict[str, object]()
    with trio.move_on_after(60):
        while True:
            page = await wall.reader(order_id, last=last)
            try:
                await trio.sleep(chance.uniform(0.0, 6.0))
            finally:
                known = shown(page, known)
                left = page.leave()
                last = left if left >= 0 else last
    page = await wall.reader(order_id, last=last)
    await trio.sleep(ALIVE_SECONDS + LONG)
    pages.append((order_id, shown(page, known)))


async def test_whenever_pages_leave_and_resume_they_end_with_what_is() -> None:
    chance = Random(4)  # noqa: S311 - repeatable
    async with open_wall() as wall:
        ids = [await wall.placed() for _ in range(4)]
        pages: list[Page] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, wall, chance)
            for order_id in ids * 2:
                nursery.start_soon(come_and_go, wall, order_id, chance, pages)
        fresh = await wall.reader()
        await trio.sleep(LONG)
        for order_id, states in pages:
            standing = await wall.counter.desk.find(order_id)
            assert states[order_id] == (standing.order.status, standing.position)
            assert states["board"] == fresh.newest("board")


async def test_a_board_that_is_known_is_not_repeated_and_another_process_repeats_it() -> None:
    async with open_wall() as wall:
        board = await wall.reader()
        await trio.sleep(LONG)
        await wall.placed()
        await trio.sleep(LONG)
        last = board.leave()
        again = await wall.reader(last=last)
        await trio.sleep(LONG)
        assert again.events("board") == []
        older = await wall.reader(last=last - 1)
        ahead = await wall.reader(last=last + 1)
        await trio.sleep(LONG)
        assert len(older.events("board")) == len(ahead.events("board")) == 1
        store = wall.counter.store.survivor()
    await check_other_process(store, last)


async def check_other_process(store: FaultyStore, last: int) -> None:
    async with open_wall(store, clock=lambda: NOON + trio.current_time()) as wall:
        board = await wall.reader(last=last)
        await trio.sleep(LONG)
        assert len(board.events("board")) == 1


async def test_a_board_that_changed_while_the_position_stood_still_is_repeated() -> None:
    async with open_wall() as wall:
        await wall.brewed(await wall.placed())
        board = await wall.reader()
        await trio.sleep(LONG)
        last = board.leave()
        assert len(board.newest("board")["ready"]) == 1
        await trio.sleep(READY_SECONDS + LONG)
        again = await wall.reader(last=last)
        await trio.sleep(LONG)
        assert again.newest("board")["ready"] == []


async def test_where_events_were_missed_everything_is_looked_at_again() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        # As at a front: it hears nothing, and ids may be of another front's look.
        states = States(ReadyBoard(), counter.desk, counter.ledger, shares_ids=True)
        nursery.start_soon(states.run)
        placed = await counter.order(hold=0)
        source = StateReader(states, (placed.order.order_id,))
        source.begin([placed], states.position)
        reader = Reader(source)
        nursery.start_soon(reader.read)
        await trio.sleep(2)
        assert reader.newest("order")["status"] == "waiting"
        assert reader.newest("board")["waiting"] == 1
        await counter.desk.cancel(CancelOrder(placed.order.order_id))
        await trio.sleep(2)
        assert reader.newest("order")["status"] == "waiting"
        await states.touch_all()
        await trio.sleep(2)
        assert reader.newest("order")["status"] == "cancelled"
        assert reader.newest("board")["waiting"] == 0
        assert not states.is_known(states.position)
        nursery.cancel_scope.cancel()
