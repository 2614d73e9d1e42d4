"""The pure parts of payments: the table, the agenda, the book, prices and fingerprints."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.delivery.messages import Coverage
from cafe.http.schema import MOST_INTEGER
from cafe.menu.messages import Menu, Product
from cafe.orders.messages import Destination, Line
from cafe.payments.book import PaymentBook
from cafe.payments.lane import LONGEST_AS_TOLD, LONGEST_PAUSE, Agenda, pause
from cafe.payments.payment import (
    OPEN,
    TRANSITIONS,
    Action,
    Answer,
    NotAllowedError,
    Payment,
    Status,
    Verdict,
    begun,
    is_refusal,
    moved,
)
from cafe.payments.pricing import (
    Delivery,
    Item,
    destination_of,
    fingerprint,
    new_payment,
    order_of,
    price,
)
from cafe.payments.refusals import NotOnMenu, NotServed
from tests.cafe.ledger.order_histories import basket
from tests.cafe.payments.rig import HARBOUR, HILLS, LATTE, MENU

PAYMENT = Payment("p1", "o1", "ada", 860, 0.0, key="k", fingerprint="f", wanted="{}")


@given(actions=st.lists(st.sampled_from(Action), max_size=8))
def test_a_payment_goes_through_the_table_only(actions: list[Action]) -> None:
    payment = begun(PAYMENT, Action.INTEND, 1.0).payment
    charged = given_back = 0
    for action in actions:
        if (payment.status, action) not in TRANSITIONS:
            with pytest.raises(NotAllowedError):
                moved(payment, action, 2.0)
            continue
        change = moved(payment, action, 2.0)
        assert (change.before, change.payment.changed_at) == (payment.status, 2.0)
        payment = change.payment
        charged += action is Action.ACCEPT
        given_back += action is Action.REFUND
    assert charged <= 1
    assert given_back <= charged
    assert payment.is_open == (payment.status in OPEN)


def test_what_is_open_is_what_the_shop_goes_on_with() -> None:
    by_events = {Action.GIVE_BACK}  # of its order, which was cancelled
    leads_on = {
        before
        for (before, action), _ in TRANSITIONS.items()
        if before is not None and (action not in by_events or before is not Status.PLACED)
    }
    assert leads_on == set(OPEN)


@pytest.mark.parametrize(
    ("status", "was_asked", "refuses"),
    [(402, True, True), (402, False, True), (403, False, True), (403, True, False)],
)
def test_a_refusal_that_does_not_speak_of_the_charge_says_nothing_of_an_earlier_try(
    status: int, *, was_asked: bool, refuses: bool
) -> None:
    assert is_refusal(Answer(Verdict.REFUSED, status), was_asked=was_asked) == refuses


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["add", "take", "put_back", "remove"]),
            st.sampled_from("abc"),
            st.integers(0, 5),
        )
    )
)
def test_an_agenda_gives_each_payment_to_one_caller_at_its_time(
    steps: list[tuple[str, str, int]],
) -> None:
    agenda, now = Agenda(), 0.0
    due: dict[str, float] = {}
    in_hand: set[str] = set()
    for step, name, seconds in steps:
        now += 1
        if step == "add" and name not in due and name not in in_hand:
            due[name] = now + seconds
        if step == "add":
            agenda.add(name, now + seconds)
        elif step == "take":
            taken = agenda.take(now)
            ready = {one for one, at in due.items() if at <= now}
            assert (taken is None) == (not ready)
            if taken is not None:
                assert taken in ready
                assert due.pop(taken) <= min([due[one] for one in ready - {taken}], default=inf)
                in_hand.add(taken)
        elif step == "put_back":
            agenda.put_back(name, now + seconds)
            if name in in_hand:
                in_hand.remove(name)
                due[name] = now + seconds
        else:
            agenda.remove(name)
            due.pop(name, None)
            in_hand.discard(name)
        assert agenda.next_at() == min(due.values(), default=inf)
        assert len(agenda) == len(due) + len(in_hand)


@given(
    tries=st.integers(0, 100),
    retry_after=st.none() | st.floats(0, 1e9),
    chance=st.floats(0, 1),
)
def test_pauses_grow_and_honour_what_the_provider_asks_within_bounds(
    tries: int, retry_after: float | None, chance: float
) -> None:
    seconds = pause(tries, retry_after, chance)
    assert 0.25 <= seconds <= max(LONGEST_PAUSE, LONGEST_AS_TOLD)
    assert seconds >= min(retry_after or 0.0, LONGEST_AS_TOLD)
    assert pause(20, None, 0.0) == LONGEST_PAUSE


def test_a_book_finds_payments_until_they_are_old() -> None:
    book = PaymentBook(most_recent=2)
    book.keep(PAYMENT)
    assert book.of_key("ada", "k") == book.of_order("o1") == PAYMENT
    refused = PAYMENT._replace(status=Status.REFUSED, key=None)
    book.keep(refused)
    assert book.of_key("ada", "k") is None
    assert book.get("p1") == refused
    for number in (2, 3):
        other = refused._replace(payment_id=f"p{number}", order_id=f"o{number}")
        book.keep(other)
    assert book.get("p1") is book.of_order("o1") is None
    assert len(book) == 0


def test_lines_have_the_names_and_prices_of_the_menu_and_are_not_merged() -> None:
    first, second = price(MENU, LATTE * 2)
    assert first == second
    assert (first.name, first.variation, first.unit_price_cents) == ("Latte", "Vanilla", 430)
    (plain,) = price(MENU, [Item("latte", None, 1)])
    assert (plain.variation, plain.unit_price_cents) == (None, 400)


def test_all_that_cannot_be_sold_is_named() -> None:
    items = [Item("cake", None, 1), *LATTE, Item("tea", None, 1), Item("latte", "x", 1)]
    with pytest.raises(NotOnMenu) as no:
        price(MENU, items)
    assert [one["item"] for one in no.value.errors] == ["items[0]", "items[2]", "items[3]"]


def test_a_total_beyond_what_json_holds_is_refused() -> None:
    gold = Product("gold", "Gold", "", "x", 1, MOST_INTEGER, sold_out=False)
    with pytest.raises(NotOnMenu, match="too large"):
        price(Menu([gold]), [Item("gold", None, 2)])


def test_a_fingerprint_is_of_all_that_was_asked_for() -> None:
    same = fingerprint(LATTE, {"a": 1, "b": 2}, None, None)
    assert same == fingerprint(LATTE, {"b": 2, "a": 1}, None, None)
    others = {
        fingerprint(LATTE * 2, {"a": 1, "b": 2}, None, None),
        fingerprint(LATTE, {"a": 1}, None, None),
        fingerprint(LATTE, {"a": 1, "b": 2}, 860, None),
        fingerprint(LATTE, {"a": 1, "b": 2}, None, "counter"),
        *(
            fingerprint(LATTE, {"a": 1, "b": 2}, None, Delivery(*to))
            for to in (("Harbour", "1"), ("harbour", "1"), ("Harbour", "2"))
        ),
    }
    assert len(others | {same}) == 8


def test_a_destination_is_found_by_the_district_s_name_or_id_where_a_courier_serves_it() -> None:
    coverage = Coverage()
    coverage.show((HARBOUR, HILLS), {HARBOUR.district_id})
    for district in ("Harbour", " hARBOUR  ", "harbour"):
        found = destination_of(coverage, Delivery(district, "1 Quay Street"))
        assert found == Destination("harbour", "Harbour", "1 Quay Street")
    for district in ("Hills", "hills", "nowhere", ""):
        with pytest.raises(NotServed) as caught:
            destination_of(coverage, Delivery(district, "1"))
        assert caught.value.problem_members() == {
            "errors": [{"item": "fulfilment.district", "message": "no courier serves it"}],
            "districts": ["Harbour"],
        }
    with pytest.raises(NotServed, match="none"):
        destination_of(Coverage(), Delivery("Harbour", "1"))


@pytest.mark.parametrize("destination", [None, Destination("harbour", "Harbour", "1 “Quay”\t")])
def test_a_payment_keeps_all_that_its_order_needs(destination: Destination | None) -> None:
    payment = new_payment("p1", "o1", basket(), destination, "192.0.2.7", "k")
    placing = order_of(payment)
    assert placing.basket == basket(prepaid=True)
    assert (placing.order_id, placing.destination) == ("o1", destination)
    assert (placing.address, placing.key) == ("192.0.2.7", "k")


def test_a_payment_from_before_there_were_deliveries_has_an_order_for_the_counter() -> None:
    wanted = '{"address": "192.0.2.7", "lines": [["latte", null, "Latte", null, 1, 400]]'
    placing = order_of(PAYMENT._replace(wanted=f'{wanted}, "metadata": null}}'))
    assert placing.destination is None
    assert placing.basket is not None
    assert placing.basket.lines == (Line("latte", None, "Latte", None, 1, 400),)
