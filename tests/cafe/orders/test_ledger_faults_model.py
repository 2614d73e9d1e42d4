"""Everything that can go wrong between the counter and the disk, composed by Hypothesis.

Customers, baristas and the ledger's troubles come in any order and at any pace, each story under a
schedule of its own. The witness at the desk sees to it that nobody is told what is not written; at
the end the trouble is over, all orders are brewed, and what the ledger has must be as the kill test
wants it: what was accepted is there, each key has one coffee, and no promise of the tables broke.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf

import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors import ActorCrashed, ActorStopped, Restart
from actors.testing import run_seeded
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import PlaceOrder, ReleaseOrder
from cafe.orders.refusals import OrderConflict
from tests.cafe.ledger.fakes import REFUSED, FaultyStore
from tests.cafe.orders.counter import REGULAR, Counter, open_counter
from tests.chance import examples

LEASE = 30.0
LONG = 400.0
"""Seconds in which all comes to its end, once there is no trouble any more."""
NOON = 1_795_000_000.0

KEYS = st.sampled_from("kl")
HOLDS = st.sampled_from([inf, 3.0, 0.0])
PAUSES = st.sampled_from([0.0, 0.1, 1.0, 4.0, 6.0, 40.0])
PEOPLE = st.one_of(
    st.tuples(st.just("plain"), HOLDS),
    st.tuples(st.just("barista"), st.sampled_from([0.0, 2.0, 20.0]), st.sampled_from("fffrv")),
    st.tuples(st.just("keyed"), KEYS, HOLDS),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(st.just("refused"), HOLDS),
)
TROUBLE = st.one_of(
    st.tuples(st.just("gone")),
    st.tuples(st.just("back")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("stall"), st.sampled_from([0.0, 0.2, 2.0, 7.0])),
    st.tuples(st.just("mute")),
)
LIFE = st.lists(st.tuples(PAUSES, st.one_of(PEOPLE, TROUBLE)), min_size=4, max_size=20)
CRASHES = {"crash", "refused"}

Story = list[list[tuple[float, tuple[object, ...]]]]
"""Lives of the shop; each a list of pauses, and what happens then."""


def noon() -> float:
    return NOON + trio.current_time()


class Town:
    """What people know, whatever shop it was that told them."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.accepted: set[str] = set()
        """Orders for which somebody was told to come back."""
        self.finished: set[str] = set()
        self.coffees: dict[str, set[str]] = {}
        """The orders that were handed over for each key."""
        self.refused: set[str] = set()
        """Orders of customers without a key who were told that they have none."""


class Life:
    """One process, from its start until it is killed."""

    def __init__(self, town: Town, counter: Counter, nursery: trio.Nursery) -> None:
        self.town, self.counter, self.nursery = town, counter, nursery
        self.people: list[trio.CancelScope] = []
        self.visits = 0
        """Under way."""

    def come(self, act: Callable[[], Awaitable[None]]) -> None:
        """Let somebody come, who may leave again whenever he wants."""
        scope = trio.CancelScope()
        self.people.append(scope)
        self.nursery.start_soon(self._visit, act, scope)

    async def _visit(self, act: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        # Two crashes at once are the asker's, too: a 500, by which he is told nothing.
        self.visits += 1
        with (
            scope,
            suppress(ActorCrashed, ActorStopped, LedgerUnavailable, NotRecorded, OrderConflict),
        ):
            await act()
        self.visits -= 1

    # What may happen

    def plain(self, hold: float) -> None:
        self.come(partial(self._order, None, hold))

    def keyed(self, key: str, hold: float) -> None:
        self.town.keys.add(key)
        self.come(partial(self._order, key, hold))

    def refused(self, hold: float) -> None:
        self.come(partial(self._order, None, hold, REFUSED))

    async def _order(self, key: str | None, hold: float, name: str | None = None) -> None:
        desk = self.counter.desk
        message = PlaceOrder(desk.ids.new(), "americano", name, REGULAR, 400, key, bound=hold > 0)
        try:
            standing = await desk.place(message, hold)
        except LedgerUnavailable:
            if key is None:
                self.town.refused.add(message.order_id)
            raise
        order_id = standing.order.order_id
        if not standing.order.ended:
            self.town.accepted.add(order_id)
        elif key is not None:
            self.town.coffees.setdefault(key, set()).add(order_id)

    def barista(self, seconds: float, way: str) -> None:
        self.come(partial(self._brew, seconds, way))

    async def _brew(self, seconds: float, way: str) -> None:
        claim = await self.counter.start(hold=20)
        if claim is None or way == "v":
            return
        await trio.sleep(seconds)
        if way == "r":
            await self.counter.desk.release(ReleaseOrder(claim.order.order_id))
            return
        finished = await self.counter.finish(claim)
        self.town.finished.add(finished.order_id)

    def leave(self, who: int) -> None:
        if who < len(self.people):
            self.people[-1 - who].cancel()

    def gone(self) -> None:
        self.counter.store.link.gone = True

    def back(self) -> None:
        self.counter.store.link.gone = False

    def stall(self, seconds: float) -> None:
        self.counter.disk.seconds = seconds

    def mute(self) -> None:
        self.counter.store.link.mute = 1

    def crash(self) -> None:
        self.nursery.start_soon(self.counter.crash)

    # The end

    async def come_to_an_end(self) -> None:
        """End all trouble, let everybody come for his coffee, and brew what there is."""
        link = self.counter.store.link
        link.gone, link.mute, self.counter.disk.seconds = False, 0, 0.0
        await trio.sleep(2 * LEASE)  # whoever vanished is known to have
        for key in self.town.keys:
            self.keyed(key, inf)
        for _ in range(2):
            self.come(self._work)
        await trio.sleep(LONG)
        assert not self.visits, "everybody is told something in the end"

    async def _work(self) -> None:
        while claim := await self.counter.start(hold=60):
            await trio.sleep(1)
            await self.counter.finish(claim)


async def tell(lives: Story) -> tuple[Town, FaultyStore]:
    """Have a story happen; after each life but the last the process is killed."""
    town, store = Town(), FaultyStore()
    rules = Rules(lease_seconds=LEASE, unclaimed_seconds=10)
    restart = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)
    for number, steps in enumerate(lives, 1):
        async with (
            open_counter(rules, store=store, restart=restart, clock=noon) as counter,
            trio.open_nursery() as nursery,
        ):
            life = Life(town, counter, nursery)
            for pause, (step, *details) in steps:
                await trio.sleep(pause)
                getattr(life, str(step))(*details)
            if number == len(lives):
                await life.come_to_an_end()
            store = store.survivor()
            nursery.cancel_scope.cancel()
    return town, store


# What each of these told of has been wrong once.
READY_IN_TROUBLE: Story = [
    [(0, ("plain", inf)), (0, ("barista", 2.0, "f")), (1, ("gone",)), (40, ("back",))]
]
CLAIMED_IN_TROUBLE: Story = [
    [(0, ("gone",)), (0, ("plain", inf)), (1, ("barista", 2.0, "f")), (6, ("back",))]
]
TAKEN_BACK: Story = [[(0, ("gone",)), (0, ("plain", 3.0)), (6, ("back",))]]
REFUSED_IN_A_GROUP: Story = [
    [(0, ("stall", 0.2)), (0, ("plain", inf)), (0, ("refused", 3.0)), (0, ("keyed", "k", 0.0))]
]
CRASHED_TWICE: Story = [
    [(0, ("stall", 0.2)), (0, ("plain", inf)), (0.1, ("crash",)), (4, ("crash",))]
]


@example(seed=0, lives=READY_IN_TROUBLE)
@example(seed=0, lives=CLAIMED_IN_TROUBLE)
@example(seed=0, lives=TAKEN_BACK)
@example(seed=0, lives=REFUSED_IN_A_GROUP)
@example(seed=0, lives=CRASHED_TWICE)
@given(seed=st.integers(0, 2**32), lives=st.lists(LIFE, min_size=1, max_size=3))
@settings(max_examples=examples(50), deadline=None)
def test_whatever_happens_nothing_acknowledged_is_lost(seed: int, lives: Story) -> None:
    town, store = run_seeded(seed, partial(tell, lives))
    assert store.broken_promises() == []
    rows = store.orders
    done = {"ready", "delivered"}
    assert {rows[order_id].status for order_id in town.accepted | town.finished} <= done
    for key in town.keys:
        of_key = {
            row.order_id for row in rows.values() if (row.key, row.status in done) == (key, 1)
        }
        assert town.coffees[key] == of_key, "every keyed customer has his coffee, and only that"
        assert len(of_key) == 1
    assert {row.status for row in rows.values()} <= done | {"cancelled"}, "none is forgotten"
    # After a crash or a kill the ledger may have the order and not that it was withdrawn.
    crashed = len(lives) > 1 or CRASHES & {step for _, (step, *_) in lives[0]}
    for order_id in town.refused & rows.keys():
        row = rows[order_id]
        assert crashed or row.status == "cancelled" or row.abandoned
