"""All faults between customers, four parts of the shop, the disk and the provider, by Hypothesis.

Customers order with and without keys, for the counter and for a courier, hang up, repeat and
cancel; baristas brew; couriers hand over what is ready, or it is called off; the provider
fails, stalls, refuses and answers late; the Cashier and the Dispatcher crash; the database is lost,
is slow and loses replies; and processes are killed between any two steps. Each story has a
schedule of its own. At the end the faults end, and charges, refunds and orders agree.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors import ActorCrashed, ActorStopped, Restart
from actors.testing import run_seeded
from cafe.http.refusals import CafeRefusal
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import CancelOrder
from cafe.orders.order import Status as OrderStatus
from cafe.payments.payment import Status
from cafe.payments.pricing import Delivery
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.payments.rig import (
    ADA,
    BO,
    LATTE,
    TO_HARBOUR,
    WATER,
    Rig,
    open_rig,
    payments_in,
    wrong_in,
)
from tests.cafe.payments.world import Mood, World
from tests.chance import examples

NOON = 1_795_000_000.0
EXPECTED = (ActorCrashed, ActorStopped, CafeRefusal)

PAUSES = st.sampled_from([0.0, 0.1, 1.0, 4.0, 40.0, 310.0])
KEYS = st.sampled_from([None, None, "k1", "k2"])
CLIENTS = st.one_of(
    st.tuples(
        st.just("customer"), KEYS, st.sampled_from([ADA, BO]), st.sampled_from([LATTE, WATER])
    ),
    st.tuples(st.just("orders_delivery"), KEYS, st.sampled_from([LATTE, WATER])),
    st.tuples(st.just("courier"), st.booleans()),
    st.tuples(st.just("crowd"), st.integers(2, 5)),
    st.tuples(st.just("canceller"), st.integers(0, 9)),
    st.tuples(st.just("barista")),
    st.tuples(st.just("hang_up"), st.integers(0, 5)),
)
MOODS = st.builds(
    Mood,
    is_up=st.sampled_from([True, True, True, False]),
    refuses=st.booleans(),
    fails=st.sampled_from([False, False, True]),
    fails_late=st.sampled_from([False, False, True]),
    is_busy=st.sampled_from([False, False, True]),
    before=st.sampled_from([0.0, 0.5, 9.0, 60.0]),
    after=st.sampled_from([0.0, 0.5, 9.0, 60.0]),
)
FAULTS = st.one_of(
    st.tuples(st.just("mood"), MOODS),
    st.tuples(st.just("mood"), st.just(Mood())),
    st.tuples(st.just("gone")),
    st.tuples(st.just("back")),
    st.tuples(st.just("crash_dispatcher")),
    st.tuples(st.just("crash_cashier")),
    st.tuples(st.just("stall"), st.sampled_from([0.0, 0.2, 2.0])),
    st.tuples(st.just("mute"), st.integers(1, 3)),
)
STEPS = st.lists(st.tuples(PAUSES, st.one_of(CLIENTS, FAULTS)), min_size=2, max_size=14)
Story = list[list[tuple[float, tuple[Any, ...]]]]
"""The processes of a shop, one after the other; each a list of pauses and of steps after them."""


def noon() -> float:
    return NOON + trio.current_time()


class Replies:
    """What customers were answered, by all processes together."""

    def __init__(self) -> None:
        self.orders: set[str] = set()
        self.to_harbour: set[str] = set()
        """Those of them that are for a courier."""
        self.by_key: dict[tuple[str, str], set[str]] = {}
        """The orders that a key of an account was answered with."""


class Process:
    """One process of the shop, from its start until it is killed; a method for each step."""

    def __init__(self, replies: Replies, rig: Rig, nursery: trio.Nursery) -> None:
        self.replies, self.rig, self.nursery = replies, rig, nursery
        self.clients: list[trio.CancelScope] = []

    def request(self, act: Callable[[], Awaitable[None]]) -> None:
        scope = trio.CancelScope()
        self.clients.append(scope)
        self.nursery.start_soon(self._run, act, scope)

    async def _run(self, act: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        with scope, suppress(*EXPECTED):
            await act()

    def customer(self, key: str | None, account_id: str, items: Any) -> None:
        self.request(partial(self._order, key, account_id, items))

    def orders_delivery(self, key: str | None, items: Any) -> None:
        self.request(partial(self._order, key, ADA, items, TO_HARBOUR))

    async def _order(
        self, key: str | None, account_id: str, items: Any, delivery: Delivery | None = None
    ) -> None:
        ordered = await self.rig.order(items, key=key, account_id=account_id, delivery=delivery)
        order_id = ordered.standing.order.order_id
        if delivery is not None:
            self.replies.to_harbour.add(order_id)
        self.replies.orders.add(order_id)
        assert order_id in self.rig.store.orders, "it was answered before it was committed"
        if key is not None:
            self.replies.by_key.setdefault((account_id, key), set()).add(order_id)

    def crowd(self, number: int) -> None:
        for _ in range(number):
            self.customer("crowded", ADA, LATTE)

    def canceller(self, which: int) -> None:
        orders = sorted(self.rig.store.orders)
        if which < len(orders):
            cancel = self.rig.till.desk.cancel
            self.request(partial(self._ignore, partial(cancel, CancelOrder(orders[which]))))

    async def _ignore(self, act: Callable[[], Awaitable[object]]) -> None:
        await act()

    def barista(self) -> None:
        self.request(self._brew)

    async def _brew(self) -> None:
        claim = await self.rig.counter.start("Bo", hold=20)
        if claim is not None:
            await trio.sleep(1)
            await self.rig.counter.finish(claim)

    def courier(self, calls_off: bool) -> None:  # noqa: FBT001 - as drawn
        desk = self.rig.till.desk
        ask = desk.call_off if calls_off else desk.hand_over
        for order in self.rig.store.orders.values():
            if order.destination is not None and order.status is OrderStatus.READY:
                self.request(partial(self._ignore, partial(ask, order.order_id)))

    def hang_up(self, which: int) -> None:
        if which < len(self.clients):
            self.clients[-1 - which].cancel()

    def mood(self, mood: Mood) -> None:
        self.rig.world.mood = mood

    def gone(self) -> None:
        self.rig.store.link.gone = True

    def back(self) -> None:
        self.rig.store.link.gone = False

    def stall(self, seconds: float) -> None:
        self.rig.counter.disk.seconds = seconds

    def mute(self, commits: int) -> None:
        self.rig.store.link.mute = commits

    def crash_dispatcher(self) -> None:
        self.nursery.start_soon(self.rig.counter.crash)

    def crash_cashier(self) -> None:
        self.nursery.start_soon(self.rig.crash)

    async def end_all_faults(self) -> None:
        """End all faults, and let all that is left to do be done."""
        link = self.rig.store.link
        link.gone, link.mute, self.rig.counter.disk.seconds = False, 0, 0.0
        self.rig.world.mood = Mood()
        await trio.sleep(600)
        await self.rig.followed()


async def run_story(story: Story) -> tuple[Replies, FaultyStore, World]:
    """Run a story; each process but the last is killed at its end, and the provider lives on."""
    replies, store = Replies(), FaultyStore()
    restart = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)
    async with trio.open_nursery() as outside:
        world = World(outside)
        for number, steps in enumerate(story, 1):
            async with (
                open_rig(world, store, rules=Rules(), restart=restart, clock=noon) as rig,
                trio.open_nursery() as nursery,
            ):
                process = Process(replies, rig, nursery)
                for pause, (step, *details) in steps:
                    await trio.sleep(pause)
                    getattr(process, str(step))(*details)
                if number == len(story):
                    await process.end_all_faults()
                store = store.survivor()
                nursery.cancel_scope.cancel()
        outside.cancel_scope.cancel()
    return replies, store, world


def disagreements(replies: Replies, store: FaultyStore, world: World) -> list[str]:
    """Compare what the provider did with what the shop has, without any code of payments."""
    found = list[str]()
    payments = {f"charge-{one.payment_id}": one for one in payments_in(store)}
    orders = store.orders
    given_back = [of for _, of in world.refunded.values()]
    for key, cents in world.charged.items():
        payment = payments.get(key)
        if payment is None or payment.total_cents != cents:
            found.append(f"{key}: charged {cents} without a payment")
            continue
        order = orders.get(payment.order_id)
        has_order = order is not None and order.status is not OrderStatus.CANCELLED
        if given_back.count(key) != (0 if has_order else 1):
            found.append(f"{key}: has order {order}, refunded {given_back.count(key)} times")
    found += [f"{key}: refunded without a charge" for key in given_back if key not in world.charged]
    for order in orders.values():
        if order.prepaid and not any(
            one.order_id == order.order_id and key in world.charged for key, one in payments.items()
        ):
            found.append(f"{order.order_id}: brewed without a charge")
    found += [
        f"{order.order_id}: of another fulfilment than was ordered"
        for order in orders.values()
        if order.order_id in replies.orders
        and (order.destination is not None) is not (order.order_id in replies.to_harbour)
    ]
    for name, order_ids in replies.by_key.items():
        if len(order_ids) > 1:
            found.append(f"{name}: answered with {order_ids}")
    return found


SETTLED = {
    Status.PLACED,
    Status.REFUSED,
    Status.REFUNDED,
    Status.NOT_REQUIRED,
    Status.AT_COUNTER,
}

KILLED_WHILE_ASKED: Story = [
    [
        (0, ("mood", Mood(before=9.0, after=9.0))),
        (0, ("customer", "k1", ADA, LATTE)),
        (1, ("back",)),
    ],
    [(0, ("customer", "k1", ADA, LATTE)), (40, ("customer", "k1", ADA, LATTE))],
]
KILLED_FOR_LONG: Story = [
    [(0, ("mood", Mood(fails_late=True))), (0, ("customer", "k1", ADA, LATTE)), (1, ("back",))],
    [(310, ("back",)), (310, ("mood", Mood())), (0, ("customer", "k1", ADA, LATTE))],
]
KILLED_BEFORE_IT_IS_CALLED_OFF: Story = [
    [
        (0, ("mood", Mood(before=9.0))),
        (0, ("orders_delivery", "k1", LATTE)),
        (1, ("back",)),
    ],
    [
        (40, ("orders_delivery", "k1", LATTE)),
        (0, ("barista",)),
        (4, ("courier", True)),
        (4, ("orders_delivery", "k1", LATTE)),
    ],
]
AWAY_WHILE_PLACED: Story = [
    [
        (0, ("mood", Mood(after=0.5))),
        (0, ("stall", 0.2)),
        (0, ("customer", None, ADA, LATTE)),
        (1.15, ("gone",)),  # the order is written, and committed ten minutes later
        (310, ("gone",)),
        (310, ("back",)),
    ]
]
"""A charge that looks too old for an order may have one that is not committed yet."""
ONE_KEY_FOR_TWO: Story = [
    [(0, ("customer", "k1", ADA, LATTE)), (0, ("customer", "k1", ADA, WATER))],
]
"""One is charged and one is free, and neither is known when the other's key is looked up."""
KILLED_WITH_ONE_KEY_FOR_TWO: Story = [
    [
        (0, ("mood", Mood(after=9.0))),
        (0, ("customer", "k1", ADA, LATTE)),
        (0, ("customer", "k1", ADA, WATER)),
        (1, ("back",)),
    ],
    [(0, ("customer", "k1", ADA, LATTE)), (40, ("customer", "k1", ADA, WATER))],
]


@pytest.mark.slow
@example(seed=0, story=KILLED_WHILE_ASKED)
@example(seed=0, story=KILLED_FOR_LONG)
@example(seed=0, story=KILLED_BEFORE_IT_IS_CALLED_OFF)
@example(seed=0, story=AWAY_WHILE_PLACED)
@example(seed=0, story=ONE_KEY_FOR_TWO)
@example(seed=0, story=KILLED_WITH_ONE_KEY_FOR_TWO)
@given(seed=st.integers(0, 2**32), story=st.lists(STEPS, min_size=1, max_size=3))
@settings(max_examples=examples(100), deadline=None)
def test_charges_refunds_and_orders_agree_in_any_story(seed: int, story: Story) -> None:
    replies, store, world = run_seeded(seed, partial(run_story, story))
    assert wrong_in(store) == []
    assert disagreements(replies, store, world) == []
    assert {payment.status for payment in payments_in(store)} <= SETTLED
