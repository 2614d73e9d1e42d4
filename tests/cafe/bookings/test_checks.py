"""What `cafe db check` says of bookings: it finds each damage, and what it is in."""

from __future__ import annotations

import pytest
import trio
from sqlalchemy import Connection

from cafe.bookings.booking import Action
from tests.cafe.bookings.hall import HOUR, Hall, broken_in, evening, id_of, open_hall

pytestmark = pytest.mark.schedules(1)

STANDS = "every table and every booking stands where its last event left it"
APART = "no two accepted bookings of a table overlap"
NOT_TAKEN = "no request is open for a time that is taken"
NUMBERED = "every booking has the number of its table"
IN_TIME = "no request is open when its time has come"
DECIDED = "a request expires when its time has come, and is decided only before"
SEATED = "no accepted party that is still to come has more guests than its table has seats"
HELD_ONCE = "no account has two open bookings of a table for the same time"

DAMAGES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "a booking that was undone": (
        "UPDATE bookings SET status = 'requested' WHERE booking_id = '{declined}'",
        {STANDS: ["declined"], NOT_TAKEN: ["declined"]},
    ),
    "a booking without its event": (
        "DELETE FROM events WHERE subject = '{open}'",
        {STANDS: ["open"]},
    ),
    "a table that was closed by another": (
        "UPDATE dining_tables SET status = 'closed'",
        {STANDS: []},
    ),
    "two bookings of one time": (
        "UPDATE bookings SET starts_at = starts_at - 10800 WHERE booking_id = '{later}'",
        {APART: ["accepted", "later"]},
    ),
    "a request that was forgotten": (
        """UPDATE bookings SET starts_at = asked_at - 2, ends_at = asked_at - 1
        WHERE booking_id = '{open}'""",
        {IN_TIME: ["open"]},
    ),
    "a request that was declined too late": (
        "UPDATE bookings SET starts_at = asked_at - 1 WHERE booking_id = '{declined}'",
        {DECIDED: ["declined"]},
    ),
    "a request that expired too early": (
        """UPDATE bookings SET starts_at = starts_at + 10800, ends_at = ends_at + 10800
        WHERE booking_id = '{expired}'""",
        {DECIDED: ["expired"]},
    ),
    "a table that lost seats": (
        "UPDATE dining_tables SET seats = 1",
        {SEATED: ["accepted", "later"]},
    ),
    "a booking of another number": (
        "UPDATE bookings SET table_number = 9 WHERE booking_id = '{later}'",
        {NUMBERED: ["later"]},
    ),
    "an account's second booking": (
        "UPDATE bookings SET account_id = 'ada' WHERE booking_id IN ('{open}', '{again}')",
        {HELD_ONCE: ["open", "again"]},
    ),
}


async def bookings_of(hall: Hall) -> dict[str, str]:
    """Make some bookings; return their ids by what became of them."""
    table = await hall.add_table()
    accepted, declined = [await hall.request(table, evening(hours)) for hours in (5, 6)]
    await hall.decide(accepted, Action.ACCEPT)
    expired = await hall.request(table, evening(2))
    await trio.sleep(2 * HOUR)
    later = await hall.book(table, evening(8))
    again, still_open = [await hall.request(table, evening(30)) for _ in range(2)]
    found = {
        "accepted": accepted,
        "declined": declined,
        "expired": expired,
        "later": later,
        "open": still_open,
        "again": again,
    }
    return {name: id_of(one) for name, one in found.items()}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damage_is_found(damage: str) -> None:
    statement, expected = DAMAGES[damage]
    async with open_hall() as hall:
        ids = await bookings_of(hall)
        assert broken_in(hall.store) == []

        def break_it(connection: Connection) -> None:
            for name in ("insert", "update"):
                connection.exec_driver_sql(f"DROP TRIGGER tr_bookings_accepted_{name}")
            connection.exec_driver_sql(statement.format(**ids))

        hall.store.maintain(break_it)
        broken = broken_in(hall.store)
        assert len(broken) == len(expected)
        for sentence, names in expected.items():
            (found,) = (one for one in broken if sentence in one)
            assert all(f"bookings {ids[name]}" in found for name in names)
