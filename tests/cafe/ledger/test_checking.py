"""A day as the shop writes it breaks no promise; each thing that may not be breaks its own."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.schema import DropConstraint

from cafe.ledger.checking import check
from cafe.ledger.opening import upgrade
from cafe.ledger.schema import metadata
from cafe.orders.order import Action
from tests.cafe.ledger.scribe import STEPS, Scribe

NOON = 1_795_000_000.0
WHOLE = "the database's own check of its file finds nothing"
STRAYS = "every order has its events, and every event its order"
FORBIDDEN = "every event is a step that the order model allows"
GOES_ON = "every event goes on from where the one before it ended"
STANDS = "every order stands where its last event left it"
COUNTED = "events are numbered 1, 2, 3 and so on"
LATER = "no event is earlier than the one before it"
NUMBERS = "ticket numbers never repeat or go back"
ONCE = "nothing is brewed twice, unless its lease ran out or it was given back"
KEYS = "every key leads to the order placed with it, which is not cancelled"
FOUND = "every live order with a key is found by it"
UNSHARED = "no two live orders share a key"
TIMES = "the times of an order are in order, and those of its events"
FIELDS = "every order has what its status asks for, and nothing else"


@pytest.fixture
def connection(durable_url: str) -> Generator[Connection]:
    """Hold the tables, as lax as a damaged ledger may be: without foreign keys."""
    upgrade(durable_url)
    engine = create_engine(durable_url, poolclass=NullPool)
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            for table in metadata.tables.values():
                for key in table.foreign_key_constraints:
                    connection.execute(DropConstraint(key))
        yield connection


@pytest.fixture
def scribe(connection: Connection) -> Scribe:
    """Write what happens at noon: orders 1 to 8, one of each kind."""
    scribe = Scribe(connection)
    one, two, three, four = (scribe.place(NOON + n) for n in range(4))
    five = scribe.place(NOON + 4, key="five")
    six = scribe.place(NOON + 5, key="six")
    seven, _eight = scribe.place(NOON + 6), scribe.place(NOON + 6)
    one, two, three = (
        scribe.start(order, NOON + 10, barista)
        for order, barista in ((one, "Bo"), (two, None), (three, "Cy"))
    )
    scribe.step(three, Action.ABANDON, NOON + 11, abandoned=True)
    scribe.step(scribe.finish(one, NOON + 40), Action.HAND_OVER, NOON + 40)
    two = scribe.start(scribe.give_back(two, NOON + 50), NOON + 51)
    scribe.finish(two, NOON + 90)
    scribe.leave(four, NOON + 100)
    scribe.start(five, NOON + 101)
    scribe.leave(six, NOON + 102, Action.CUT_OFF)
    scribe.place(NOON + 103, key="six")
    seven = scribe.give_back(scribe.start(seven, NOON + 110), NOON + 300, Action.EXPIRE)
    scribe.finish(seven, NOON + 310)
    return scribe


def broken(connection: Connection) -> dict[str, list[str]]:
    """List what was found against each promise that something was found against."""
    promises = check(connection, STEPS)
    return {p.sentence: [str(finding) for finding in p.findings] for p in promises if p.findings}


def test_what_the_shop_writes_breaks_no_promise(scribe: Scribe) -> None:
    assert broken(scribe.connection) == {}
    assert len(list(check(scribe.connection, STEPS))) == 14


def test_an_empty_ledger_breaks_no_promise(connection: Connection) -> None:
    assert broken(connection) == {}


def test_what_stands_against_a_promise_is_named_with_what_the_tables_say(scribe: Scribe) -> None:
    scribe.connection.execute(text("UPDATE orders SET status = 'ready' WHERE number = 1"))
    assert broken(scribe.connection) == {
        STANDS: ["order 1 (order-1): status ready, last event delivered"]
    }


DAMAGES = {
    "an order without events": (
        "DELETE FROM order_events WHERE order_id = 'order-8'",
        {STRAYS: ["order-8"], COUNTED: ["order-1"]},
    ),
    "events without an order": (
        "DELETE FROM orders WHERE order_id = 'order-8'",
        {STRAYS: ["order-8"]},
    ),
    "an event lost in the middle of a life": (
        "DELETE FROM order_events WHERE order_id = 'order-2' AND action = 'release'",
        {GOES_ON: ["order-2"], COUNTED: ["order-2"], ONCE: ["order-2"]},
    ),
    "the last event lost": (
        "DELETE FROM order_events WHERE sequence = (SELECT max(sequence) FROM order_events)",
        {STANDS: ["order-7"], TIMES: ["order-7"]},
    ),
    "the beginning lost": (
        "DELETE FROM order_events WHERE sequence = 1",
        {GOES_ON: ["order-1"], COUNTED: ["order-2"], TIMES: ["order-1"]},
    ),
    "an action that there is not": (
        "UPDATE order_events SET action = 'vanish' WHERE action = 'cancel'",
        {FORBIDDEN: ["order-4"]},
    ),
    "a life that begins ready": (
        "UPDATE order_events SET after = 'ready' WHERE order_id = 'order-8'",
        {FORBIDDEN: ["order-8"], STANDS: ["order-8"], TIMES: ["order-8"]},
    ),
    "an order that was undone": (
        "UPDATE orders SET status = 'waiting' WHERE order_id = 'order-4'",
        {STANDS: ["order-4"], FIELDS: ["order-4"]},
    ),
    "a clock that was set back": (
        "UPDATE order_events SET at = at - 400 WHERE action = 'hand over'",
        {LATER: ["order-1"]},
    ),
    "numbers that go back": (
        "UPDATE orders SET number = 0 WHERE order_id = 'order-8'",
        {NUMBERS: ["order-8"]},
    ),
    "an order started twice": (
        "UPDATE order_events SET action = 'start' WHERE action = 'expire'",
        {FORBIDDEN: ["order-7"], ONCE: ["order-7"], TIMES: ["order-7"], FIELDS: ["order-7"]},
    ),
    "an order finished twice": (
        "UPDATE order_events SET action = 'finish' WHERE action = 'hand over'",
        {FORBIDDEN: ["order-1"], ONCE: ["order-1"]},
    ),
    "a key for nothing": (
        "INSERT INTO idempotency_keys VALUES ('192.0.2.1', 'none', 'order-99', 1.0)",
        {KEYS: ["order-99"]},
    ),
    "a key of a cancelled order": (
        "UPDATE orders SET status = 'cancelled' WHERE order_id = 'order-5'",
        {STANDS: ["order-5"], KEYS: ["order-5"], FIELDS: ["order-5"]},
    ),
    "a key that its order was not placed with": (
        "UPDATE idempotency_keys SET key = 'six and a half' WHERE order_id = 'order-9'",
        {KEYS: ["order-9"]},
    ),
    "a key of another moment": (
        "UPDATE idempotency_keys SET placed_at = placed_at + 1 WHERE order_id = 'order-9'",
        {KEYS: ["order-9"]},
    ),
    "a lost key": (
        "DELETE FROM idempotency_keys WHERE order_id = 'order-5'",
        {FOUND: ["order-5"]},
    ),
    "a shared key": (
        "UPDATE orders SET key = 'six', bound = false WHERE order_id = 'order-8'",
        {FOUND: ["order-8"], UNSHARED: ["order-8"]},
    ),
    "an end before the beginning": (
        "UPDATE orders SET ended_at = placed_at - 1 WHERE order_id = 'order-4'",
        {TIMES: ["order-4"]},
    ),
    "a start that no event tells": (
        "UPDATE orders SET started_at = started_at + 1 WHERE order_id = 'order-2'",
        {TIMES: ["order-2"]},
    ),
    "a lease that ends before it begins": (
        "UPDATE orders SET lease_expires_at = started_at WHERE order_id = 'order-5'",
        {TIMES: ["order-5"]},
    ),
    "a claim without a lease": (
        "UPDATE orders SET lease_expires_at = NULL WHERE order_id = 'order-5'",
        {FIELDS: ["order-5"]},
    ),
    "a waiting order in somebody's hand": (
        "UPDATE orders SET barista = 'Bo' WHERE order_id = 'order-8'",
        {FIELDS: ["order-8"]},
    ),
    "a bound order with a key": (
        "UPDATE orders SET bound = true WHERE order_id = 'order-5'",
        {FIELDS: ["order-5"]},
    ),
    "a lease that ran out without an event": (
        "UPDATE orders SET lapsed = true WHERE order_id = 'order-8'",
        {FIELDS: ["order-8"]},
    ),
    "a lease that ran out and was forgotten": (
        "UPDATE orders SET lapsed = false WHERE order_id = 'order-7'",
        {FIELDS: ["order-7"]},
    ),
    "a customer gone without an event": (
        "UPDATE orders SET abandoned = true WHERE order_id = 'order-8'",
        {FIELDS: ["order-8"]},
    ),
}


@pytest.mark.parametrize(("damage", "found"), DAMAGES.values(), ids=DAMAGES)
def test_what_may_not_be_is_found_with_its_order(
    scribe: Scribe, damage: str, found: dict[str, list[str]]
) -> None:
    scribe.connection.execute(text(damage))
    told = broken(scribe.connection)
    assert {name: [_order_of(line) for line in lines] for name, lines in told.items()} == found


def _order_of(line: str) -> str:
    return line.partition(":")[0].split()[-1].strip("()")


def test_a_file_that_is_not_whole_is_found_by_the_database_itself(
    new_url: Callable[[str], str],
) -> None:
    url = new_url("file")
    upgrade(url)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        Scribe(connection).place(NOON)
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        connection.execute(text("UPDATE orders SET status = 'spilt'"))
        connection.execute(text("PRAGMA ignore_check_constraints = OFF"))
        assert broken(connection)[WHOLE] == ["CHECK constraint failed in orders"]
