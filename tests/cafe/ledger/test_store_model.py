"""Hypothesis plays a shop on the store, and a dictionary says what should be in it."""

from __future__ import annotations

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

from cafe.ledger.department import Event, Logged
from cafe.ledger.errors import DatabaseGone, LedgerChanged
from cafe.ledger.log import read_page
from cafe.ledger.store import Store, Unit, open_store
from cafe.orders.order import LIVE, Change, Line, Order, Status
from cafe.orders.queries import LAST_BREWED
from tests.cafe.ledger.order_histories import (
    DONUT,
    LATTE,
    NOON,
    WATER,
    Tickets,
    basket,
    cancel,
    find,
    find_key,
    finish,
    hand_over,
    load,
    start,
    unit,
)
from tests.chance import examples

KEYS = st.sampled_from([None, "k", "l"])
# What can be done to an order, by its status.
NEXT = {
    Status.WAITING: (start, cancel),
    Status.PREPARATION: (finish,),
    Status.READY: (hand_over,),
}


@contextmanager
def failing(store: Store, *, after: bool) -> Generator[None]:
    """Break the connection with the next commit: before it arrives, or before its answer does."""
    link = store._writer  # pyright: ignore[reportPrivateUsage] - the network's part is played here
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
    """A shop; `orders`, `keys` and `events` are what is committed, the rest is on its way."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.store = open_store(url)

    def teardown(self) -> None:
        self.store.close()

    @initialize()
    def open_the_shop(self) -> None:
        self.orders: dict[str, Order] = {}
        self.keys: dict[str, str] = {}
        self.events: list[Event] = []
        self.begin()

    def begin(self) -> None:
        self.snapshot = load(self.store)
        last = self.store.begin()
        assert (last.event if last else None) == (self.events[-1] if self.events else None)
        self.tickets = Tickets(self.snapshot.last_number)
        self.coming = dict(self.orders)
        self.coming_keys = dict(self.keys)
        self.units: list[Unit] = []
        self.bad: set[int] = set()
        """Which of the units the database will refuse."""

    # What happens

    def new_id(self) -> str:
        return f"order {self.tickets.last_number + 1} after {len(self.events)}"

    @rule(key=KEYS)
    def place(self, key: str | None) -> None:
        # As the order book has it: a key that holds leads to its order.
        if self.coming_keys.get(key or "") is None:
            at = NOON + self.tickets.last_number
            self.note(self.tickets.place(self.new_id(), key=key, at=at))

    @rule(sold=st.lists(st.sampled_from([LATTE, WATER, DONUT]), min_size=1, max_size=4))
    def place_basket(self, sold: list[Line]) -> None:
        at = NOON + self.tickets.last_number
        self.note(self.tickets.place(self.new_id(), at=at, basket=basket(*sold)))

    @precondition(lambda self: any(order.status in NEXT for order in self.coming.values()))
    @rule(data=st.data(), turns=st.integers(1, 2))
    def go_on(self, data: st.DataObject, turns: int) -> None:
        """Change an order, once or twice in the same turn."""
        changes = list[Change]()
        ids = [one.order_id for one in self.coming.values() if one.status in NEXT]
        order = self.coming[data.draw(st.sampled_from(ids))]
        for _ in range(turns):
            if order.status in NEXT:
                changes.append(data.draw(st.sampled_from(NEXT[order.status]))(order))
                order = changes[-1].order
        self.note(*changes)

    @rule()
    def write_what_is_refused(self) -> None:
        """A unit of another department, so that nothing of this one rests on it."""
        self.bad.add(len(self.units))
        placed = self.tickets.place("\ud800")
        self.tickets.last_number -= 1
        self.units.append(unit(placed)._replace(department="others"))

    def note(self, *changes: Change) -> None:
        self.units.append(unit(*changes))
        for _action, before, order, *_ in changes:
            self.coming[order.order_id] = order
            if order.key is not None and before is None:
                self.coming_keys[order.key] = order.order_id
            elif order.key is not None and order.status is Status.CANCELLED:
                del self.coming_keys[order.key]

    # What becomes of it

    @rule()
    def commit(self) -> None:
        self.written(self.units)

    @precondition(lambda self: self.units)
    @rule(answered=st.booleans(), tries=st.integers(1, 3))
    def commit_in_trouble(self, *, answered: bool, tries: int) -> None:
        """Try again until it works; each of the tries may have arrived."""
        for _ in range(tries):
            with failing(self.store, after=answered), suppress(DatabaseGone):
                self.store.commit(self.units)
        self.written(self.units)

    def written(self, units: list[Unit]) -> None:
        """Commit, and note what is committed by that."""
        committed = self.store.commit(units)
        first_bad = min(self.bad, default=len(units))
        assert sorted(committed.refused) == [
            place
            for place, one in enumerate(units)
            if place >= first_bad and one.department == "others"
        ]
        known = len(self.events)
        self.keep(self.events_of(units))
        assert [one._replace(changes=()) for one in committed.logged] == self.expected()[known:]

    def events_of(self, units: list[Unit]) -> list[Event]:
        return [
            entry.event
            for one in units
            if one.department == "orders"
            for entry in one.entries
            if entry.event is not None
        ]

    def keep(self, events: list[Event]) -> None:
        self.events += events
        self.orders, self.keys = dict(self.coming), dict(self.coming_keys)
        self.units, self.bad = [], set()

    def expected(self) -> list[Logged]:
        return [Logged(place + 1, "orders", event) for place, event in enumerate(self.events)]

    @precondition(lambda self: self.units)
    @rule(answered=st.booleans(), in_trouble=st.booleans())
    def crash(self, *, answered: bool, in_trouble: bool) -> None:
        """Lose what is on its way, and start from the ledger."""
        if in_trouble:
            with failing(self.store, after=answered), suppress(DatabaseGone):
                self.store.commit(self.units)
            if answered:
                self.keep(self.events_of(self.units))
        self.begin()

    @rule()
    def another_store_writes(self) -> None:
        """Write with another store, as after the loss of a connection: this one must not go on."""
        link = self.store._writer  # pyright: ignore[reportPrivateUsage] - the same database
        other = Store(link, link)
        other.begin()
        theirs = Tickets(
            max([self.snapshot.last_number, *(o.number for o in self.orders.values())])
        )
        placed = theirs.place(f"theirs {len(self.events)}")
        other.commit([unit(placed)])
        mine = unit(self.tickets.place("mine"))
        with failing(self.store, after=False), suppress(DatabaseGone):
            self.store.commit([mine])
        for _ in range(2):
            with pytest.raises(LedgerChanged):
                self.store.commit([mine])
        self.orders[placed.order.order_id] = placed.order
        self.events += self.events_of([unit(placed)])
        self.begin()

    # What holds

    @invariant()
    def every_order_is_found_as_committed(self) -> None:
        for order_id in self.coming:
            assert find(self.store, order_id) == self.orders.get(order_id)

    @invariant()
    def keys_find_their_orders(self) -> None:
        for key in ("k", "l"):
            order = self.orders.get(self.keys.get(key, ""))
            assert find_key(self.store, key) == order
            if order is not None:
                assert find_key(self.store, key, order.placed_at) == order
                assert find_key(self.store, key, order.placed_at + 1) is None

    @invariant()
    def each_event_is_in_the_log_once_in_its_place(self) -> None:
        assert self.store.read(lambda connection: read_page(connection, 0)) == self.expected()

    @rule()
    def start_from_the_ledger(self) -> None:
        self.commit()
        self.begin()
        orders = sorted(self.orders.values(), key=lambda order: order.number)
        assert self.snapshot.live == tuple(order for order in orders if order.status in LIVE)
        assert set(self.snapshot.recent) == {order for order in orders if order.ended}
        assert self.snapshot.last_number == max((order.number for order in orders), default=0)
        assert len(self.snapshot.brewing_seconds) <= LAST_BREWED


@pytest.mark.parametrize(("kind", "worth"), [("memory", 40), ("file", 10), ("postgresql", 5)])
def test_the_store_does_as_a_dictionary_would(
    kind: str, worth: int, new_url: Callable[[str], str]
) -> None:
    new_url(kind)  # so that a machine without the server skips before Hypothesis looks on

    class ShopThere(Shop):
        def __init__(self) -> None:
            super().__init__(new_url(kind))

    few = settings(max_examples=examples(worth), stateful_step_count=25, deadline=None)
    run_state_machine_as_test(ShopThere, settings=few)
