"""A day as the shop writes it breaks no promise; each thing that may not be breaks its own."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.schema import DropConstraint

from cafe.ledger.checking import check, generic_checks
from cafe.ledger.database import upgrade
from cafe.ledger.log import MOST_AHEAD
from cafe.orders.checks import CHECKS
from cafe.orders.department import ORDERS
from cafe.orders.order import Action
from tests.cafe.ledger.conftest import TABLES
from tests.cafe.ledger.damages import COUNTED, DAMAGES, FORBIDDEN, LATER, STANDS, WHOLE
from tests.cafe.ledger.scribe import Scribe

NOON = 1_795_000_000.0


@pytest.fixture
def connection(durable_url: str) -> Generator[Connection]:
    """Hold the tables, as lax as a damaged ledger may be: without foreign keys."""
    upgrade(durable_url)
    engine = create_engine(durable_url, poolclass=NullPool)
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            for table in TABLES:
                for key in table.foreign_key_constraints:
                    connection.execute(DropConstraint(key))
        yield connection


@pytest.fixture
def scribe(connection: Connection) -> Scribe:
    """Write what happens at noon: orders 1 to 10, one of each kind."""
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
    scribe.place(NOON + 104, "192.0.2.2", key="six")
    seven = scribe.give_back(scribe.start(seven, NOON + 110), NOON + 300, Action.EXPIRE)
    scribe.finish(seven, NOON + 310)
    return scribe


def broken(connection: Connection) -> dict[str, list[str]]:
    """List what was found against each promise that something was found against."""
    promises = check(connection, [ORDERS])
    return {p.sentence: [str(finding) for finding in p.findings] for p in promises if p.findings}


def execute(scribe: Scribe, *statements: str) -> None:
    for statement in statements:
        scribe.connection.execute(text(statement))


def test_what_the_shop_writes_breaks_no_promise(scribe: Scribe) -> None:
    assert broken(scribe.connection) == {}
    sentences = [promise.sentence for promise in check(scribe.connection, [ORDERS])]
    assert sentences == [WHOLE, *generic_checks([ORDERS]), *CHECKS]


def test_an_empty_ledger_breaks_no_promise(connection: Connection) -> None:
    assert broken(connection) == {}


def test_what_stands_against_a_promise_is_named_with_what_the_tables_say(scribe: Scribe) -> None:
    execute(scribe, "UPDATE orders SET status = 'ready' WHERE number = 1")
    assert broken(scribe.connection) == {
        STANDS: ["orders 1 (order-1): status ready, last event delivered"]
    }


@pytest.mark.parametrize(("damage", "found"), DAMAGES.values(), ids=DAMAGES)
def test_what_may_not_be_is_found_with_its_order(
    scribe: Scribe, damage: str, found: dict[str, list[str]]
) -> None:
    execute(scribe, *damage.split(";"))
    told = broken(scribe.connection)
    assert {name: [_order_of(line) for line in lines] for name, lines in told.items()} == found


def _order_of(line: str) -> str:
    return line.partition(":")[0].split()[-1].strip("()")


def test_every_promise_is_broken_by_some_damage() -> None:
    found = {sentence for _, findings in DAMAGES.values() for sentence in findings}
    assert found == {*generic_checks([ORDERS]), *CHECKS}


def test_an_event_of_a_department_that_there_is_not_is_found(scribe: Scribe) -> None:
    execute(scribe, "UPDATE events SET department = 'tea' WHERE subject = 'order-10'")
    assert "tea order-10" in broken(scribe.connection)[FORBIDDEN][0]


def test_events_that_were_pruned_are_no_gap_and_those_behind_them_are_one(scribe: Scribe) -> None:
    execute(
        scribe,
        "INSERT INTO prunings (id, through) VALUES (1, 8)",
        "DELETE FROM events WHERE position < 7",
    )
    assert COUNTED not in broken(scribe.connection)
    execute(scribe, "DELETE FROM events WHERE position < 9")
    assert COUNTED not in broken(scribe.connection)
    execute(scribe, "DELETE FROM events WHERE position = 9")
    assert broken(scribe.connection)[COUNTED] == ["orders order-2: position 10, after 0"]


@pytest.mark.parametrize(
    ("seconds", "found"), [(1, True), (MOST_AHEAD - 1, True), (MOST_AHEAD, False)]
)
def test_a_clock_that_was_set_right_by_five_minutes_or_more_is_no_damage(
    scribe: Scribe, seconds: float, *, found: bool
) -> None:
    set_back = "UPDATE events SET at = CASE WHEN position < 20 THEN 1000 ELSE 1000 - :seconds END"
    scribe.connection.execute(text(set_back), {"seconds": seconds})
    late = broken(scribe.connection).get(LATER, [])
    assert [_order_of(line) for line in late] == (["order-6"] if found else [])


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
