"""Hypothesis plays a shop on the store, and a dictionary says what should be in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cafe.ledger.errors import DatabaseGone, StaleEpoch
from cafe.ledger.opening import open_store
from cafe.ledger.records import OrderRow, Record
from cafe.ledger.schema import STATUSES
from cafe.ledger.store import Store
from tests.cafe.ledger.lives import NOON, Writer

ADDRESS = "203.0.113.7"
KEYS = st.sampled_from([None, "k", "l"])
# What can be done to an order, by its status.
NEXT = {
    "waiting": (Writer.start, Writer.cancel),
    "preparation": (Writer.finish,),
    "ready": (Writer.hand_over,),
}


@contextmanager
def failing(store: Store, *, after: bool) -> Generator[None]:
    """Break the connection with the next commit: before it arrives, or before its answer does."""
    link = store._link  # pyright: ignore[reportPrivateUsage] - the network's part is played here
    connection = link._connection  # pyright: ignore[reportPrivateUsage]
    assert connection is not None
    commit = connection.commit

    def break_off() -> None:
        if after:
            commit()
        raise DatabaseGone("The cable was pulled.")

    connection.commit = break_off  # type: ignore[method-assign] # the one seam there is
    yield
    connection.commit = commit  # type: ignore[method-assign]


class Shop(RuleBasedStateMachine):
    """A shop; `orders` and `keys` are what is committed, the rest is what is on its way."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.store = open_store(url)
        self.begin()

    def teardown(self) -> None:
        self.store.close()

    def begin(self) -> None:
        self.snapshot = self.store.load()
        self.writer = Writer(self.snapshot.last_sequence, self.snapshot.last_number)
        self.group: list[Record] = []

    @initialize()
    def open_the_shop(self) -> None:
        self.orders: dict[str, OrderRow] = {}
        self.keys: dict[str, str] = {}
        self.coming: dict[str, OrderRow] = {}
        self.sequence = self.number = 0

    @rule(key=KEYS)
    def place(self, key: str | None) -> None:
        order_id = f"order {self.writer.number + 1} of {self.snapshot.epoch}"
        at = NOON + self.writer.number
        self.note(self.writer.place(order_id, key=key, at=at))

    @precondition(lambda self: any(order.status in NEXT for order in self.coming.values()))
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        order_id = data.draw(
            st.sampled_from([o.order_id for o in self.coming.values() if o.status in NEXT])
        )
        order = self.coming[order_id]
        change = data.draw(st.sampled_from(NEXT[order.status]))
        self.note(change(self.writer, order))

    def note(self, record: Record) -> None:
        self.group.append(record)
        self.coming[record.order.order_id] = record.order

    @rule()
    def commit(self) -> None:
        self.store.commit(self.snapshot.epoch, self.group)
        self.written()

    @rule(answered=st.booleans(), tries=st.integers(1, 3), more=st.booleans())
    def commit_in_trouble(self, *, answered: bool, tries: int, more: bool) -> None:
        """Try again until it works, perhaps with what has happened meanwhile."""
        for _ in range(tries):
            with failing(self.store, after=answered), suppress(DatabaseGone):
                self.store.commit(self.snapshot.epoch, self.group)
            if more:
                self.place("k")
        self.store.commit(self.snapshot.epoch, self.group)
        self.written()

    @rule(data=st.data())
    def commit_again(self, data: st.DataObject) -> None:
        """Give what is written already once more."""
        self.commit()
        for group in (self.done, self.done[: data.draw(st.integers(0, len(self.done)))]):
            self.store.commit(self.snapshot.epoch, group)

    def written(self) -> None:
        for event, order in self.group:
            self.orders[order.order_id] = order
            self.sequence, self.number = event.sequence, max(self.number, order.number)
            if order.key is not None and event.before is None:
                self.keys[order.key] = order.order_id
            elif self.keys.get(order.key or "") == order.order_id and event.after == "cancelled":
                del self.keys[order.key or ""]
        self.done, self.group = self.group, []

    @rule(answered=st.booleans(), in_trouble=st.booleans())
    def crash(self, *, answered: bool, in_trouble: bool) -> None:
        """Lose what is on its way, and start from the ledger; the old instance is out."""
        old, group = self.snapshot.epoch, self.group
        if in_trouble:
            with failing(self.store, after=answered), suppress(DatabaseGone):
                self.store.commit(old, group)
            if answered:
                self.written()
        self.begin()
        self.coming = dict(self.orders)
        with pytest.raises(StaleEpoch):
            self.store.commit(old, group)

    @invariant()
    def every_order_is_found_as_committed(self) -> None:
        for order_id in self.coming:
            assert self.store.find(order_id) == self.orders.get(order_id)

    @invariant()
    def keys_find_their_orders(self) -> None:
        for key in ("k", "l"):
            order = self.orders.get(self.keys.get(key, ""))
            assert self.store.find_by_key(ADDRESS, key, 0.0) == order
            if order is not None:
                assert self.store.find_by_key(ADDRESS, key, order.placed_at) == order
                assert self.store.find_by_key(ADDRESS, key, order.placed_at + 1) is None

    @rule()
    def start_from_the_ledger(self) -> None:
        self.commit()
        self.begin()
        orders = self.orders.values()
        live = [order for order in orders if order.status in {"waiting", "preparation"}]
        counts = Counter(order.status for order in orders)
        assert self.snapshot.live == tuple(sorted(live, key=lambda order: order.number))
        assert self.snapshot.by_status == {status: counts[status] for status in STATUSES}
        assert self.snapshot.last_sequence == self.sequence
        assert self.snapshot.last_number == self.number


@pytest.mark.parametrize(("kind", "examples"), [("memory", 40), ("file", 10), ("postgresql", 5)])
def test_the_store_does_as_a_dictionary_would(
    kind: str, examples: int, new_url: Callable[[str], str]
) -> None:
    new_url(kind)  # so that a machine without the server skips before Hypothesis looks on

    class ShopThere(Shop):
        def __init__(self) -> None:
            super().__init__(new_url(kind))

    few = settings(max_examples=examples, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(ShopThere, settings=few)
