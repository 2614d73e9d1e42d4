"""A ledger whose notifications are of orders only holds them all after its upgrade."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine, func, select

from cafe.ledger.checking import check, open_reader, version_of
from cafe.ledger.database import upgrade
from cafe.ledger.department import Event
from cafe.ledger.store import open_store
from cafe.ledger.tables import newest
from cafe.notifications.notification import Attempt, Notification, State, Topic
from cafe.notifications.queries import Wanted, load, look_up, read_page
from cafe.notifications.tables import attempts, notifications
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.ledger.postgres import PostgresServer
from tests.cafe.ledger.test_first_version import insert_row, make_version

VERSION = "0011"
NOW = 1_795_000_000.1
LAST = Notification(
    "evt_3_c", 3, Topic.ORDER, "o'1", 3, '{"number": 17}', "ready", NOW + 2, State.HELD
)
FAILED = LAST._replace(
    event_id="evt_2_b",
    position=2,
    sequence=2,
    status="preparation",
    occurred_at=NOW + 1,
    state=State.RETRYING,
    attempts=1,
    failures=1,
    due_at=NOW + 99,
)
FIRST = LAST._replace(
    event_id="evt_1_a",
    position=1,
    sequence=1,
    status="waiting",
    occurred_at=NOW,
    state=State.DELIVERED,
    attempts=1,
    delivered_at=NOW + 1,
)
ATTEMPTS = [
    Attempt("evt_1_a", 1, NOW + 1, "200", 0.1),
    Attempt("evt_2_b", 1, NOW + 2, "503", 0.1 + 0.2),
]
STEPS = [
    ("evt_1_a", "note", None, "due"),
    ("evt_2_b", "hold", None, "held"),
    ("evt_3_c", "hold", None, "held"),
    ("evt_1_a", "deliver", "due", "delivered"),
    ("evt_2_b", "advance", "held", "due"),
    ("evt_2_b", "fail", "due", "retrying"),
]
"""What happened to them."""


def old_row(one: Notification) -> dict[str, Any]:
    """Return a notification's row as that version wrote it."""
    row = one._asdict()
    for name in ("topic", "details"):
        del row[name]
    row["order_id"] = row.pop("subject_id")
    return row | {"number": 17, "state": one.state.value}


def fill(connection: Connection, *, follows: bool) -> None:
    """Write what that version kept of one order."""
    for one in (FIRST, FAILED, LAST):
        insert_row(connection, "notifications", old_row(one))
    for position, (event_id, action, before, after) in enumerate(STEPS, 1):
        event = Event(event_id, action, before, after, NOW + position)
        row = {"position": position, "department": "notifications", **event._asdict()}
        insert_row(connection, "events", row)
    for attempt in ATTEMPTS:
        insert_row(connection, "notification_attempts", attempt._asdict())
    for state, number in (("held", 1), ("retrying", 1), ("delivered", 1)):
        insert_row(connection, "notification_counts", {"state": state, "number": number})
    insert_row(connection, "notification_followed", {"id": 1, "position": 3, "follows": follows})


@pytest.fixture(params=["file", "postgresql"])
def old(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    """Return the URL of an empty ledger of version 0011."""
    if request.param == "file":
        url = new_url("file")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(server.new_database())
    with create_engine(url, poolclass=NullPool).begin() as connection:
        make_version(connection, VERSION)
    assert version_of(url) == VERSION
    return url


@pytest.mark.parametrize("follows", [True, False])
def test_every_notification_is_there_after_the_upgrade_and_is_followed_on(
    old: str, *, follows: bool
) -> None:
    with create_engine(old, poolclass=NullPool).begin() as connection:
        fill(connection, follows=follows)
    upgrade(old)
    assert version_of(old) == newest()
    with closing(open_store(old)) as store:
        page = store.read(lambda connection: read_page(connection, Wanted(order_id="o'1")))
        kept = store.read(load)
        behind = store.read(lambda connection: look_up(connection, ["evt_2_b"]))
    assert page.notifications == [LAST, FAILED, FIRST]
    assert page.attempts == {one.event_id: [one] for one in ATTEMPTS}
    assert kept.positions == ({Topic.ORDER: 3} if follows else {})
    assert kept.counts == {State.HELD: 1, State.RETRYING: 1, State.DELIVERED: 1}
    assert set(behind.outbox.by_id) == {"evt_2_b", "evt_3_c"}


def test_the_upgraded_ledger_breaks_no_promise_and_refers_to_nothing_that_is_not_there(
    old: str,
) -> None:
    with create_engine(old, poolclass=NullPool).begin() as connection:
        fill(connection, follows=True)
    upgrade(old)
    with open_reader(old) as connection:
        found = check(connection, DEPARTMENTS)
        assert [str(one) for one in found if one.findings] == []
        lost = select(func.count()).where(
            attempts.c.event_id.not_in(select(notifications.c.event_id))
        )
        assert connection.execute(lost).scalar() == 0
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_an_empty_ledger_is_upgraded(old: str) -> None:
    upgrade(old)
    with closing(open_store(old)) as store:
        assert store.read(load).positions == {}
