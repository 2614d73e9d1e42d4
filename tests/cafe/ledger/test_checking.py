"""A reader sees one moment and changes nothing; a check finds each damage, and nothing else.

A day as the shop writes it breaks no promise, and each damage breaks its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, NullPool, create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import DropConstraint

from cafe.ledger.checking import check, generic_checks, open_reader, version_of
from cafe.ledger.database import upgrade
from cafe.ledger.errors import (
    DatabaseGone,
    LedgerError,
    NotALedger,
    SchemaBehind,
    WrongDatabaseError,
)
from cafe.ledger.log import MOST_AHEAD
from cafe.ledger.store import open_store
from cafe.ledger.tables import newest
from cafe.orders.checks import CHECKS
from cafe.orders.department import ORDERS
from cafe.orders.order import Action
from cafe.orders.pause import NEVER_PAUSED, Pause
from cafe.orders.pause_table import entry_of_pause
from cafe.orders.tables import keys, orders
from tests.cafe.ledger.conftest import TABLES
from tests.cafe.ledger.damages import COUNTED, DAMAGES, FORBIDDEN, LATER, STANDS, WHOLE
from tests.cafe.ledger.order_histories import (
    DONUT,
    HARBOUR,
    RowWriter,
    Tickets,
    abandon,
    basket,
    call_off,
    cancel,
    expire,
    finish,
    hand_over,
    release,
    start,
    unit_each,
)
from tests.cafe.ledger.postgres import PASSWORD, PostgresServer

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
def ledger(connection: Connection) -> Connection:
    """Return the connection to a ledger with orders 1 to 15, one of each kind, and a pause."""
    writer, tickets = RowWriter(connection), Tickets()
    write = writer.write
    place = tickets.place
    one, two, three, four = (write(place(at=NOON + n)) for n in range(4))
    five = write(place(at=NOON + 4, key="five"))
    six = write(place(at=NOON + 5, key="six"))
    seven, _eight = (write(place(at=NOON + 6)) for _ in range(2))
    one, two, three = (
        write(start(order, at=NOON + 10, barista=barista))
        for order, barista in ((one, "Bo"), (two, None), (three, "Cy"))
    )
    write(abandon(three, at=NOON + 11))
    write(hand_over(write(finish(one, at=NOON + 40)), at=NOON + 40))
    two = write(start(write(release(two, at=NOON + 50)), at=NOON + 51))
    write(finish(two, at=NOON + 90))
    write(cancel(four, at=NOON + 100))
    write(start(five, at=NOON + 101))
    write(cancel(six, at=NOON + 102, action=Action.CUT_OFF))
    write(place(at=NOON + 103, key="six"))
    write(place(at=NOON + 104, key="six", address="192.0.2.2"))
    paused = NEVER_PAUSED.begin(Pause(NOON + 900, "Back soon.", "Di"), NOON + 105)
    assert paused is not None
    writer.add(entry_of_pause(paused))
    write(place(at=NOON + 105, key="eleven", basket=basket()))
    write(cancel(write(place(at=NOON + 106, key="twelve", basket=basket(DONUT))), at=NOON + 107))
    brought = write(place(at=NOON + 108, basket=basket(), destination=HARBOUR))
    brought = write(finish(write(start(brought, at=NOON + 108)), at=NOON + 109))
    _fourteen, fifteen = (write(tickets.publish(at=NOON + 109)) for _ in range(2))
    for order in (fifteen, brought):
        write(call_off(order, at=NOON + 109))
    seven = write(expire(write(start(seven, at=NOON + 110)), at=NOON + 300))
    write(finish(seven, at=NOON + 310))
    return connection


def broken(connection: Connection) -> dict[str, list[str]]:
    """List what was found against each promise that something was found against."""
    promises = check(connection, [ORDERS])
    return {p.sentence: [str(finding) for finding in p.findings] for p in promises if p.findings}


def execute(ledger: Connection, *statements: str) -> None:
    for statement in statements:
        ledger.execute(text(statement))


def test_what_the_shop_writes_breaks_no_promise(ledger: Connection) -> None:
    assert broken(ledger) == {}
    sentences = [promise.sentence for promise in check(ledger, [ORDERS])]
    assert sentences == [WHOLE, *generic_checks([ORDERS]), *CHECKS]


def test_an_empty_ledger_breaks_no_promise(connection: Connection) -> None:
    assert broken(connection) == {}


def test_what_stands_against_a_promise_is_named_with_what_the_tables_say(
    ledger: Connection,
) -> None:
    execute(ledger, "UPDATE orders SET status = 'ready' WHERE number = 1")
    assert broken(ledger) == {STANDS: ["orders 1 (order-1): status ready, last event delivered"]}


@pytest.mark.parametrize(("damage", "found"), DAMAGES.values(), ids=DAMAGES)
def test_what_may_not_be_is_found_with_its_order(
    ledger: Connection, damage: str, found: dict[str, list[str]]
) -> None:
    execute(ledger, *damage.split(";"))
    shown = broken(ledger)
    assert {name: [_order_of(line) for line in lines] for name, lines in shown.items()} == found


def _order_of(line: str) -> str:
    return line.partition(":")[0].split()[-1].strip("()")


def test_every_promise_is_broken_by_some_damage() -> None:
    found = {sentence for _, findings in DAMAGES.values() for sentence in findings}
    assert found == {*generic_checks([ORDERS]), *CHECKS}


def test_an_event_of_a_department_that_there_is_not_is_found(ledger: Connection) -> None:
    execute(ledger, "UPDATE events SET department = 'tea' WHERE subject = 'order-10'")
    assert "tea order-10" in broken(ledger)[FORBIDDEN][0]


def test_events_that_were_pruned_are_no_gap_and_those_behind_them_are_one(
    ledger: Connection,
) -> None:
    execute(
        ledger,
        "INSERT INTO prunings (id, through) VALUES (1, 8)",
        "DELETE FROM events WHERE position < 7",
    )
    assert COUNTED not in broken(ledger)
    execute(ledger, "DELETE FROM events WHERE position < 9")
    assert COUNTED not in broken(ledger)
    execute(ledger, "DELETE FROM events WHERE position = 9")
    assert broken(ledger)[COUNTED] == ["orders order-2: position 10, after 0"]


@pytest.mark.parametrize(
    ("seconds", "found"), [(1, True), (MOST_AHEAD - 1, True), (MOST_AHEAD, False)]
)
def test_a_clock_that_was_set_right_by_five_minutes_or_more_is_no_damage(
    ledger: Connection, seconds: float, *, found: bool
) -> None:
    set_back = "UPDATE events SET at = CASE WHEN position < 20 THEN 1000 ELSE 1000 - :seconds END"
    ledger.execute(text(set_back), {"seconds": seconds})
    late = broken(ledger).get(LATER, [])
    assert [_order_of(line) for line in late] == (["order-6"] if found else [])


def test_a_damaged_file_is_found_by_the_database_itself(
    new_url: Callable[[str], str],
) -> None:
    url = new_url("file")
    upgrade(url)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        RowWriter(connection).write(Tickets().place(at=NOON))
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        connection.execute(text("UPDATE orders SET status = 'spilt'"))
        connection.execute(text("PRAGMA ignore_check_constraints = OFF"))
        assert broken(connection)[WHOLE] == ["CHECK constraint failed in orders"]


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(orders)).scalar_one()


def test_a_reader_sees_one_moment_while_the_shop_goes_on(durable_url: str) -> None:
    tickets = Tickets()
    with closing(open_store(durable_url)) as store:
        store.commit(unit_each(tickets.delivered("first")))
        with open_reader(durable_url) as connection:
            assert count(connection) == 1
            store.commit(unit_each(tickets.delivered("second")))
            assert count(connection) == 1
        with open_reader(durable_url) as connection:
            assert count(connection) == 2


def test_a_reader_cannot_write(durable_url: str) -> None:
    upgrade(durable_url)
    key = {"address": "x", "key": "y", "order_id": "z", "placed_at": 1.0}
    with (
        pytest.raises((DBAPIError, LedgerError), match=r"read-?only"),
        open_reader(durable_url) as connection,
    ):
        connection.execute(insert(keys).values(**key))


def test_a_reader_leaves_a_file_as_it_was_with_nothing_beside_it(
    file: Path,
) -> None:
    url = f"sqlite:///{file}"
    upgrade(url)
    before, names = file.read_bytes(), set(file.parent.iterdir())
    with open_reader(url) as connection:
        assert count(connection) == 0
    assert file.read_bytes() == before
    assert set(file.parent.iterdir()) == names


def test_the_version_is_the_newest_once_the_tables_are_upgraded(durable_url: str) -> None:
    upgrade(durable_url)
    assert version_of(durable_url) == newest()


def read(url: str) -> None:
    with open_reader(url):
        pass


@pytest.mark.parametrize("look", [version_of, read])
@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("none.db", WrongDatabaseError, "none.db cannot be read: No such file or directory."),
        (".", WrongDatabaseError, " cannot be read: Is a directory."),
        ("text", NotALedger, "text is no SQLite database."),
        ("empty", NotALedger, "empty is no SQLite database."),
        ("other.db", NotALedger, "other.db is a database of another program."),
        ("torn.db", NotALedger, "damaged"),
    ],
)
def test_a_file_that_is_no_ledger_is_named_and_left_alone(
    tmp_path: Path, name: str, error: type[LedgerError], said: str, look: Callable[[str], object]
) -> None:
    (tmp_path / "text").write_text("americano, please\n", "utf-8")
    (tmp_path / "empty").touch()
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE tea (leaves INTEGER)")
    (tmp_path / "torn.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 4000)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(error) as wrong:
        look(f"sqlite:///{tmp_path}/{name}")
    assert said in str(wrong.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "url",
    [
        "cafe.db",
        "",
        "mysql://bar:s3cret@here/cafe",
        "postgresql://bar:s3cret@here/cafe",
        "postgresql+psycopg://bar:s3cret@here:many/cafe",
        "sqlite://s3cret/cafe.db",
        "sqlite:///cafe.db?mode=s3cret",
    ],
)
def test_what_is_no_address_of_a_ledger_is_not_repeated(url: str) -> None:
    with pytest.raises(WrongDatabaseError, match=r"a database is|it is sqlite") as wrong:
        version_of(url)
    assert "s3cret" not in str(wrong.value)


def test_memory_is_its_own_shop_s_only() -> None:
    with pytest.raises(WrongDatabaseError, match="in memory"):
        version_of("sqlite://")


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    url = "postgresql+psycopg://cafe:s3cret@127.0.0.1:1/cafe"
    with pytest.raises(DatabaseGone, match="Connection refused") as gone:
        version_of(url)
    assert "s3cret" not in str(gone.value)
    assert "\n" not in str(gone.value)


@pytest.mark.parametrize("query", [False, True])
def test_a_wrong_password_is_not_repeated(postgres: PostgresServer, *, query: bool) -> None:
    url = postgres.url(postgres.new_database(), "guarded" if query else f"guarded:not-{PASSWORD}")
    with pytest.raises(DatabaseGone, match="password authentication failed") as gone:
        version_of(f"{url}&password=not-{PASSWORD}" if query else url)
    assert PASSWORD not in str(gone.value)


def test_a_database_without_tables_has_no_version_and_cannot_be_read(
    postgres: PostgresServer,
) -> None:
    url = postgres.url(postgres.new_database())
    assert version_of(url) is None
    with pytest.raises(SchemaBehind, match="cafe db upgrade"), open_reader(url):
        pass


def test_a_database_of_another_program_is_refused(postgres: PostgresServer) -> None:
    name = postgres.new_database()
    postgres.execute("CREATE TABLE tea (leaves integer)", name)
    with pytest.raises(NotALedger, match="another program"):
        version_of(postgres.url(name))


def test_a_role_without_the_right_to_read_is_refused_in_one_line(
    new_url: Callable[[str], str],
) -> None:
    url = new_url("postgresql").replace("//cafe@", f"//guarded:{PASSWORD}@")
    with pytest.raises(
        LedgerError, match=r"^The database cannot be used now: permission denied for table "
    ):
        read(url)
