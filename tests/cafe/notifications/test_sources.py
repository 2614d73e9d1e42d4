"""Which events are told: by department, status, and the data that they carry."""

from __future__ import annotations

import json

import pytest

from cafe.ledger.department import Event, Logged
from cafe.notifications.notification import StatusChange, Topic
from cafe.notifications.sources import details_of_basket, details_of_request, status_change_of
from tests.cafe.notifications.post import PARTY, basket


def logged(
    department: str, before: str | None, after: str, data: str | None = basket(17)
) -> Logged:
    return Logged(5, department, Event("s1", "act", before, after, 100.0, data=data))


@pytest.mark.parametrize(
    ("department", "before", "after"),
    [
        ("orders", None, "waiting"),
        ("orders", "preparation", "waiting"),
        ("orders", "ready", "delivered"),
        ("orders", "waiting", "cancelled"),
        ("delivery", None, "assigned"),
        ("delivery", "waiting", "assigned"),
        ("delivery", "assigned", "picked_up"),
        ("delivery", "assigned", "failed"),
        ("delivery", "picked_up", "failed"),
    ],
)
def test_a_step_of_a_baskets_order_is_told(department: str, before: str | None, after: str) -> None:
    change = StatusChange(5, Topic.ORDER, "s1", '{"number": 17}', after, 100.0)
    assert status_change_of(logged(department, before, after)) == change


@pytest.mark.parametrize(
    ("department", "before", "after"),
    [
        ("orders", "waiting", "waiting"),
        ("delivery", None, "waiting"),
        ("delivery", "assigned", "waiting"),
        ("delivery", "assigned", "assigned"),
        ("delivery", "picked_up", "delivered"),
        ("delivery", "assigned", "cancelled"),
        ("payments", None, "intended"),
        ("bookings", None, "requested"),
    ],
)
def test_what_its_own_events_tell_or_nobody_needs_is_not_told(
    department: str, before: str | None, after: str
) -> None:
    assert status_change_of(logged(department, before, after)) is None


def test_what_was_imported_is_not_told() -> None:
    data = json.dumps({**json.loads(basket(17)), "imported": "417"})
    assert status_change_of(logged("orders", None, "waiting", data)) is None


@pytest.mark.parametrize("department", ["orders", "delivery", "bookings"])
@pytest.mark.parametrize("data", [None, "null", "{}", "[]", '{"number": 17}'])
def test_an_event_without_what_is_told_is_not_told(department: str, data: str | None) -> None:
    for after in ("waiting", "assigned", "requested"):
        assert status_change_of(logged(department, None, after, data)) is None


def test_a_request_for_a_table_is_told_and_nothing_else_of_bookings() -> None:
    data = json.dumps(PARTY | {"more": "of it"})
    change = status_change_of(logged("bookings", None, "requested", data))
    assert change == StatusChange(5, Topic.BOOKING, "s1", json.dumps(PARTY), "requested", 100.0)
    for before, after in (
        (None, "accepted"),
        ("requested", "accepted"),
        ("requested", "declined"),
        ("requested", "expired"),
        ("accepted", "cancelled"),
        (None, "open"),
    ):
        assert status_change_of(logged("bookings", before, after, data)) is None


@pytest.mark.parametrize(
    ("data", "details"),
    [
        ({"number": 17, "account_id": "a1", "total_cents": 450}, {"number": 17}),
        ({"number": 17, "account_id": "a1", "more": None}, {"number": 17}),
        ({"number": 17}, None),
        ({"account_id": "a1"}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_basket_is_known_by_the_data_of_its_events(data: object, details: object) -> None:
    found = details_of_basket(json.dumps(data))
    assert (None if found is None else json.loads(found)) == details


@pytest.mark.parametrize("missing", PARTY)
def test_a_request_is_known_by_the_data_of_its_event(missing: str) -> None:
    assert details_of_request(json.dumps(PARTY)) == json.dumps(PARTY)
    rest = {name: value for name, value in PARTY.items() if name != missing}
    assert details_of_request(json.dumps(rest)) is None
