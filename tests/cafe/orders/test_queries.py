"""The orders of a report: those placed within its time, each with its events."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from sqlalchemy import Connection, NullPool, create_engine, insert

from cafe.ledger.database import upgrade
from cafe.ledger.tables import events
from cafe.orders.order import Action
from cafe.orders.queries import Step, read_histories
from tests.cafe.ledger.order_histories import RowWriter, Tickets, cancel, finish, start

NOON = 1_795_000_000.0


@pytest.fixture
def connection(durable_url: str) -> Generator[Connection]:
    upgrade(durable_url)
    with create_engine(durable_url, poolclass=NullPool).connect() as connection:
        yield connection


def test_orders_are_sorted_by_number_and_their_deeds_by_position(connection: Connection) -> None:
    write, place = RowWriter(connection).write, Tickets().place
    first, second = (write(place(at=NOON + n)) for n in range(2))
    first = write(start(first, at=NOON + 2, barista="Bo"))
    write(cancel(second, at=NOON + 3))
    write(finish(first, at=NOON + 40))
    histories = read_histories(connection, NOON, NOON + 60)
    assert [(life.order.number, life.order.status) for life in histories] == [
        (1, "ready"),
        (2, "cancelled"),
    ]
    assert [life.steps for life in histories] == [
        (Step("place", None), Step("start", "Bo"), Step("finish", "Bo")),
        (Step("place", None), Step("cancel", None)),
    ]


def test_the_time_of_an_order_is_when_it_was_placed(connection: Connection) -> None:
    write, place = RowWriter(connection).write, Tickets().place
    before, on, last, after = (write(place(at=NOON + s)) for s in (-0.001, 0, 59.999, 60))
    for order in (before, on, last, after):
        write(cancel(order, at=NOON + 70, action=Action.ABANDON))
    histories = read_histories(connection, NOON, NOON + 60)
    assert [life.order.order_id for life in histories] == [on.order_id, last.order_id]
    assert all(len(life.steps) == 2 for life in histories)


def test_without_orders_the_list_is_empty(connection: Connection) -> None:
    RowWriter(connection).write(Tickets().place(at=NOON))
    assert read_histories(connection, NOON + 1, NOON + 60) == []


def test_an_event_of_another_department_is_no_deed_of_an_order(
    connection: Connection,
) -> None:
    order = RowWriter(connection).write(Tickets().place(at=NOON))
    connection.execute(
        insert(events).values(
            position=2,
            department="delivery",
            subject=order.order_id,
            action="send",
            after="out",
            at=NOON,
        )
    )
    (life,) = read_histories(connection, NOON, NOON + 60)
    assert life.steps == (Step("place", None),)
