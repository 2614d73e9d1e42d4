from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cafe.ledger.messages import EventRow
from cafe.orders.order import Action, Change, Order, Status
from cafe.orders.records import order_of, record_of, row_of

ORDERS = st.builds(
    Order,
    *(st.text(), st.integers(), st.text(), st.none() | st.text(), st.text(), st.floats(0, 2e9)),
    status=st.sampled_from(Status),
)


@given(ORDERS)
def test_an_order_comes_back_from_its_row_as_it_was(order: Order) -> None:
    assert order_of(row_of(order)) == order
    assert type(order_of(row_of(order)).status) is Status


def test_a_record_holds_plain_words_that_any_database_takes() -> None:
    order = Order("x", 1, "americano", None, "192.0.2.1", 0.0, status=Status.READY, barista="Bo")
    change = Change(Action.FINISH, Status.PREPARATION, order, 9.0, by="Bo", reason="because")
    event, row = record_of(7, change)
    assert event == EventRow(7, "x", "finish", "preparation", "ready", 9.0, "Bo", "because")
    assert [type(word) for word in (event.action, event.before, event.after, row.status)] == [
        str
    ] * 4


def test_a_life_begins_from_nothing() -> None:
    order = Order("x", 1, "americano", None, "192.0.2.1", 0.0)
    assert record_of(1, Change(Action.PLACE, None, order, 0.0)).event.before is None
