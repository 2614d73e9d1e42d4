"""All faults between two departments and the disk, composed by Hypothesis.

Customers order and tip; baristas brew, vanish and finish late; actors crash; the database is lost,
is slow, refuses rows and loses replies; and processes are killed. Each story has a schedule of its
own. At the end the faults end, and baristas have the sums that the events and the tips add up to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors import ActorCrashed, ActorStopped, Restart
from actors.testing import run_seeded
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import CancelOrder, ReleaseOrder
from cafe.orders.refusals import OrderConflict
from docs.examples.tips.refusals import NotBrewed, OneTipEach, UnknownOrder
from docs.examples.tips.tip import Status
from tests.cafe.ledger.fakes import REFUSED, FaultyStore
from tests.chance import examples
from tests.tips.till import Till, caught_up, earned_in, open_till, tips_in, totals_in, wrong_in

LEASE = 30.0
NOON = 1_795_000_000.0
EXPECTED = (ActorCrashed, ActorStopped, LedgerUnavailable, NotRecorded, OrderConflict)

PAUSES = st.sampled_from([0.0, 0.1, 1.0, 4.0, 40.0])
CLIENTS = st.one_of(
    st.tuples(st.just("customer"), st.sampled_from([0.0, 0.5, 3.0]), st.integers(1, 3)),
    st.tuples(st.just("late_giver"), st.integers(0, 9)),
    st.tuples(st.just("canceller"), st.integers(0, 9)),
    st.tuples(st.just("barista"), st.sampled_from(["Ada", "Bo", None]), st.sampled_from("fffrlv")),
    st.tuples(st.just("refused_customer")),
    st.tuples(st.just("disconnect"), st.integers(0, 5)),
)
FAULTS = st.one_of(
    st.tuples(st.just("gone")),
    st.tuples(st.just("back")),
    st.tuples(st.just("crash_dispatcher")),
    st.tuples(st.just("crash_tips"), st.booleans()),
    st.tuples(st.just("stall"), st.sampled_from([0.0, 0.2, 2.0])),
    st.tuples(st.just("mute"), st.integers(1, 3)),
)
STEPS = st.lists(st.tuples(PAUSES, st.one_of(CLIENTS, FAULTS)), min_size=4, max_size=16)
Story = list[list[tuple[float, tuple[object, ...]]]]
"""The processes of a shop, one after the other; each a list of pauses and of steps after them."""


def noon() -> float:
    return NOON + trio.current_time()


class Replies:
    """What clients were answered, by all processes together."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.given: dict[str, tuple[str, int]] = {}
        """By the ids of tips that were acknowledged."""
        self.refused: set[str] = set()
        """The ids of tips that were refused for good."""
        self.numbers = 0

    def new_id(self) -> str:
        self.numbers += 1
        return f"tip-{self.numbers}"


class Process:
    """One process of the shop, from its start until it is killed; a method for each step."""

    def __init__(self, replies: Replies, till: Till, nursery: trio.Nursery) -> None:
        self.replies, self.till, self.nursery = replies, till, nursery
        self.clients: list[trio.CancelScope] = []

    def request(self, act: Callable[[], Awaitable[None]]) -> None:
        scope = trio.CancelScope()
        self.clients.append(scope)
        self.nursery.start_soon(self._run, act, scope)

    async def _run(self, act: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        with scope, suppress(*EXPECTED):
            await act()

    # The steps of clients and faults

    def customer(self, pause: float, tips: int) -> None:
        self.request(partial(self._order, pause, tips))

    async def _order(self, pause: float, tips: int) -> None:
        """Order and give a tip, then repeat it with its id, then give one with another id."""
        order_id = (await self.till.counter.order(hold=0)).order.order_id
        self.replies.orders.append(order_id)
        await trio.sleep(pause)
        first = self.replies.new_id()
        for tip_id in (first, first, self.replies.new_id())[:tips]:
            await self._give(order_id, tip_id)

    async def _give(self, order_id: str, tip_id: str) -> None:
        cents = 10 + self.replies.numbers
        with suppress(LedgerUnavailable, ActorCrashed):
            try:
                tip = await self.till.give(
                    order_id, self.replies.given.get(tip_id, ("", cents))[1], tip_id
                )
            except (OneTipEach, NotBrewed, UnknownOrder):
                self.replies.refused.add(tip_id)
            else:
                self.replies.given[tip_id] = (order_id, tip.cents)

    def late_giver(self, which: int) -> None:
        if which < len(self.replies.orders):
            self.request(partial(self._give, self.replies.orders[which], self.replies.new_id()))

    def canceller(self, which: int) -> None:
        if which < len(self.replies.orders):
            order = CancelOrder(self.replies.orders[which])
            self.request(partial(self._cancel, order))

    async def _cancel(self, order: CancelOrder) -> None:
        await self.till.counter.desk.cancel(order)

    def barista(self, name: str | None, way: str) -> None:
        self.request(partial(self._brew, name, way))

    async def _brew(self, name: str | None, way: str) -> None:
        claim = await self.till.counter.start(name, hold=20)
        if claim is None or way == "v":
            return
        await trio.sleep(2 * LEASE if way == "l" else 1)
        if way == "r":
            await self.till.counter.desk.release(ReleaseOrder(claim.order.order_id))
        else:
            await self.till.counter.finish(claim)

    def refused_customer(self) -> None:
        self.request(self._order_refused)

    async def _order_refused(self) -> None:
        await self.till.counter.order(name=REFUSED, hold=0)

    def disconnect(self, which: int) -> None:
        if which < len(self.clients):
            self.clients[-1 - which].cancel()

    def gone(self) -> None:
        self.till.store.link.gone = True

    def back(self) -> None:
        self.till.store.link.gone = False

    def stall(self, seconds: float) -> None:
        self.till.counter.disk.seconds = seconds

    def mute(self, commits: int) -> None:
        self.till.store.link.mute = commits

    def crash_dispatcher(self) -> None:
        self.nursery.start_soon(self.till.counter.crash)

    def crash_tips(self, in_a_turn: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        self.nursery.start_soon(partial(self.till.crash, in_a_turn=in_a_turn))

    # The end

    async def end_all_faults(self) -> None:
        """End all faults, and brew all orders."""
        link = self.till.store.link
        link.gone, link.mute, self.till.counter.disk.seconds = False, 0, 0.0
        await trio.sleep(4 * LEASE)
        while claim := await self.till.counter.start("Cy", hold=60):
            await self.till.counter.finish(claim)
        with trio.fail_after(LEASE):
            await caught_up(self.till)


async def run_story(story: Story) -> tuple[Replies, FaultyStore]:
    """Run a story; each process but the last is killed at its end."""
    replies, store = Replies(), FaultyStore()
    restart = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)
    for number, steps in enumerate(story, 1):
        async with (
            open_till(store, rules=Rules(lease_seconds=LEASE), restart=restart, clock=noon) as till,
            trio.open_nursery() as nursery,
        ):
            process = Process(replies, till, nursery)
            for pause, (step, *details) in steps:
                await trio.sleep(pause)
                getattr(process, str(step))(*details)
            if number == len(story):
                await process.end_all_faults()
            store = store.survivor()
            nursery.cancel_scope.cancel()
    return replies, store


TIPPED_WHILE_FINISHED: Story = [
    [(0, ("stall", 0.2)), (0, ("customer", 0.5, 1)), (0.5, ("barista", "Ada", "f"))]
]
KILLED_WITH_A_TIP_UNDER_WAY: Story = [
    [(0, ("customer", 0.5, 1)), (0.1, ("stall", 2.0)), (1, ("barista", "Bo", "f"))],
    [(0, ("late_giver", 0)), (0, ("barista", "Ada", "l")), (40, ("late_giver", 0))],
]
CRASHED_BOTH: Story = [
    [
        (0, ("stall", 0.2)),
        (0, ("customer", 0.0, 3)),
        (0.1, ("crash_tips", True)),
        (0, ("crash_dispatcher",)),
        (1, ("barista", None, "f")),
        (1, ("mute", 3)),
    ]
]


@example(seed=0, story=TIPPED_WHILE_FINISHED)
@example(seed=0, story=KILLED_WITH_A_TIP_UNDER_WAY)
@example(seed=0, story=CRASHED_BOTH)
@given(seed=st.integers(0, 2**32), story=st.lists(STEPS, min_size=1, max_size=3))
@settings(max_examples=examples(50), deadline=None)
def test_each_tip_is_paid_once_to_the_barista_that_earned_it_in_any_story(
    seed: int, story: Story
) -> None:
    replies, store = run_seeded(seed, partial(run_story, story))
    assert wrong_in(store) == []
    found = tips_in(store)
    for tip_id, (order_id, cents) in replies.given.items():
        assert (found[tip_id].order_id, found[tip_id].cents) == (order_id, cents)
    assert not replies.refused & found.keys() - replies.given.keys()
    assert {tip.status for tip in found.values()} <= {Status.PAID, Status.RETURNED}
    assert totals_in(store) == earned_in(store)
