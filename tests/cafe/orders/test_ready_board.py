"""The board: one that has followed the log shows what one shows that is loaded from the rows."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, NullPool, StaticPool, create_engine

from cafe.ledger.database import upgrade
from cafe.ledger.department import Logged
from cafe.ledger.tables import metadata
from cafe.orders.followers import hear_for
from cafe.orders.kept_queries import load_board
from cafe.orders.order import Change, Order, Status
from cafe.orders.ready_board import (
    AT_ONCE_SECONDS,
    MOST_PREPARING,
    MOST_READY,
    READY_SECONDS,
    Cup,
    ReadyBoard,
    Shown,
)
from cafe.orders.tables import entry_of
from tests.cafe.ledger.order_histories import HARBOUR, RowWriter, basket
from tests.cafe.orders.test_queue import ADDRESSES, LEASE, a_book
from tests.chance import examples

NOON = 1_795_000_000.0


class Counter:
    """An order book whose changes are written as rows, and told to a board."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.board = ReadyBoard()
        self.book = a_book()
        self.now = NOON
        self._writer = RowWriter(connection)
        self._position = 0

    def write(self, *changes: Change | None) -> None:
        for change in changes:
            if change is None:
                continue
            self._writer.write(change)
            self._position += 1
            event, rows = entry_of(change)
            assert event is not None
            hear_for(self.board, [Logged(self._position, "orders", event, rows)])

    def place(self, name: str | None = None, *, kind: str = "plain") -> str:
        order_id = f"order-{self._position}"
        wanted = None if kind == "plain" else basket()
        to = HARBOUR if kind == "brought" else None
        self.write(
            self.book.place(
                order_id,
                "americano",
                name,
                ADDRESSES[0],
                None,
                self.now,
                basket=wanted,
                destination=to,
            )
        )
        return order_id

    def step(self, order_id: str) -> None:
        self.write(self.book.step(order_id, None, self.now))

    def loaded(self) -> Shown:
        return load_board(self.connection, self.now).show(self.now)


@contextmanager
def in_memory() -> Generator[Connection]:
    """Yield a connection to an empty database."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
        connection.rollback()
    engine.dispose()


@pytest.fixture
def connection(durable_url: str) -> Generator[Connection]:
    upgrade(durable_url)
    with create_engine(durable_url, poolclass=NullPool).connect() as connection:
        yield connection


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["place", "step", "step", "step", "release", "cancel", "abandon", "cut off", "publish"]
        ),
        st.integers(0, 8),
        st.sampled_from([0.0, 0.5, AT_ONCE_SECONDS, 1.5, 60.0, READY_SECONDS, LEASE]),
        st.sampled_from(["plain", "basket", "brought"]),
    ),
    max_size=40,
)


def take(counter: Counter, what: str, order: Order | None, kind: str) -> None:
    """Make a change, where it is allowed."""
    book, now = counter.book, counter.now
    if what == "place":
        counter.place("Ada", kind=kind)
    elif what == "publish":
        order_id = f"published {now} {len(book.orders)}"
        counter.write(book.publish(order_id, "2 sandwiches", HARBOUR, now))
    elif what == "cut off":
        counter.write(*book.cut_off(ADDRESSES[0], now))
    elif order is None:
        return
    elif what == "step" and order.status not in {Status.DELIVERED, Status.CANCELLED}:
        counter.step(order.order_id)
    elif what == "release" and order.status is Status.PREPARATION:
        counter.write(*book.release(order.order_id, now))
    elif what == "cancel" and order.status is Status.WAITING:
        counter.write(book.cancel(order.order_id, now))
    elif what == "abandon":
        counter.write(book.abandon(order.order_id, now))


@settings(max_examples=examples(80))
@given(steps=STEPS)
def test_a_board_that_follows_shows_what_one_shows_that_is_loaded(
    steps: list[tuple[str, int, float, str]],
) -> None:
    with in_memory() as connection:
        counter = Counter(connection)
        for what, which, pause, kind in steps:
            counter.now += pause
            for changes in counter.book.expire(counter.now):
                counter.write(*changes)
            orders = list(counter.book.orders.values())
            take(counter, what, orders[which] if which < len(orders) else None, kind)
            assert counter.board.show(counter.now) == counter.loaded()


def test_what_is_shown_on_both_databases(connection: Connection) -> None:
    counter = Counter(connection)
    at_once, later, waits, brewing = (counter.place(name) for name in ("A", None, "C", "D"))
    brought = counter.place(kind="brought")
    for order_id in (at_once, later, waits, brewing, brought):
        counter.step(order_id)
    counter.now += 30
    for order_id in (at_once, later, waits, brought):
        counter.step(order_id)
    counter.step(at_once)
    shown = Shown(
        (Cup(4, "D"),),
        (Cup(3, "C", NOON + 30), Cup(2, None, NOON + 30), Cup(1, "A", NOON + 30)),
    )
    assert counter.board.show(counter.now) == counter.loaded() == shown
    counter.now += AT_ONCE_SECONDS + 0.5
    counter.step(later)
    kept = Shown(shown.preparing, (shown.ready[0], shown.ready[2]))
    assert counter.board.show(counter.now) == counter.loaded() == kept
    counter.now = NOON + 30 + READY_SECONDS
    assert counter.board.show(counter.now) == counter.loaded() == Shown(shown.preparing, ())


def test_the_newest_are_shown_and_older_ones_move_up() -> None:
    board = ReadyBoard()
    for number in range(1, MOST_PREPARING + 3):
        board.note(f"{number}", Cup(number, None), Status.PREPARATION, NOON)
    assert [cup.number for cup in board.show(NOON).preparing] == list(range(3, MOST_PREPARING + 3))
    for number in range(101, 101 + MOST_READY + 1):
        board.note(f"{number}", Cup(number, None, NOON + number), Status.READY, NOON + number)
    now = NOON + 113
    assert [cup.number for cup in board.show(now).ready] == list(range(113, 101, -1))
    board.note("113", Cup(113, None, NOON + 113), Status.DELIVERED, now + 2)
    assert [cup.number for cup in board.show(now).ready] == list(range(112, 100, -1))


def test_memory_is_bounded_however_many_cups_are_finished() -> None:
    board = ReadyBoard(most_kept=20)
    for number in range(1_000):
        board.note(f"{number}", Cup(number, None), Status.PREPARATION, NOON)
        board.note(f"{number}", Cup(number, None, NOON), Status.READY, NOON)
    assert len(vars(board)["_ready"]) == 20
    assert [cup.number for cup in board.show(NOON).ready] == list(range(999, 987, -1))


def test_a_board_says_when_it_changes_by_itself() -> None:
    board = ReadyBoard()
    assert board.next_change() is None
    board.note("1", Cup(1, None, NOON), Status.READY, NOON)
    board.note("2", Cup(2, None, NOON + 5), Status.READY, NOON + 5)
    assert board.next_change() == NOON + READY_SECONDS
    assert len(board.show(NOON + READY_SECONDS).ready) == 1
    assert board.next_change() == NOON + 5 + READY_SECONDS
