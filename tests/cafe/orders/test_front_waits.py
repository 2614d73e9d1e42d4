"""The waits of a front by themselves: which events end them, and which leave it unclear."""

from __future__ import annotations

import pytest

from cafe.ledger.department import Event, Logged
from cafe.orders.front_waits import Wait, Waits, answer_of
from cafe.orders.messages import Standing
from cafe.orders.order import Action, Change, Status
from cafe.orders.refusals import CutOffFromQueue, OrderCancelled, UnknownOrder
from tests.cafe.ledger.order_histories import (
    HARBOUR,
    NOON,
    Tickets,
    basket,
    cancel,
    finish,
    hand_over,
    start,
)
from tests.cafe.orders.front_on_paper import log_of

BAN_SECONDS = 60.0


def brewed(tickets: Tickets | None = None) -> Change:
    """Return the finish of a new order."""
    return finish(start((tickets or Tickets()).place().order).order)


def collecting(waits: Waits, order_id: str) -> Wait:
    """Return a wait of a customer who is to be handed an order."""
    wait = waits.join(order_id)
    wait.collecting += 1
    return wait


def status_of(wait: Wait, *, collects: bool = True) -> Status:
    return wait.answer(collects=collects).order.status


def test_what_is_finished_and_handed_over_in_one_commit_is_shown_as_ready() -> None:
    waits, ready = Waits(BAN_SECONDS), brewed()
    wait = collecting(waits, ready.order.order_id)
    assert waits.hear(log_of(ready, hand_over(ready.order))) == []
    assert (wait.done.is_set(), status_of(wait)) == (True, Status.READY)


@pytest.mark.parametrize("why", ["placing", "collecting", "is_held"])
def test_what_is_ready_and_not_handed_over_to_its_customer_is_unclear(why: str) -> None:
    waits, ready = Waits(BAN_SECONDS), brewed()
    order_id = ready.order.order_id
    wait = waits.join(order_id)
    setattr(wait, why, True)
    assert waits.hear(log_of(ready)) == [order_id]
    assert not wait.done.is_set()


def test_one_who_only_looks_sees_that_it_is_ready() -> None:
    waits, ready = Waits(BAN_SECONDS), brewed()
    wait = waits.join(ready.order.order_id)
    wait.looking += 1
    assert waits.hear(log_of(ready)) == []
    assert status_of(wait, collects=False) is Status.READY


def test_what_is_ready_and_called_off_in_one_commit_ends_once_as_cancelled() -> None:
    waits, placed = Waits(BAN_SECONDS), Tickets().place()
    ended = cancel(placed.order)
    wait = waits.join(placed.order.order_id)
    wait.looking += 1
    ready = finish(start(placed.order).order)
    assert waits.hear(log_of(ready, ended)) == []
    assert status_of(wait, collects=False) is Status.CANCELLED


def test_a_cancelled_order_refuses_its_customer_and_is_shown_to_others() -> None:
    waits, ended = Waits(BAN_SECONDS), cancel(Tickets().place().order)
    wait = collecting(waits, ended.order.order_id)
    waits.hear(log_of(ended))
    assert status_of(wait, collects=False) is Status.CANCELLED
    with pytest.raises(OrderCancelled):
        wait.answer(collects=True)
    standing = Standing(ended.order, None, None, 0.0)
    assert answer_of(standing, collects=False) == standing


def test_all_who_wait_for_an_order_that_is_cut_off_are_refused() -> None:
    waits = Waits(BAN_SECONDS)
    ended = cancel(Tickets().place().order, action=Action.CUT_OFF)
    wait = collecting(waits, ended.order.order_id)
    waits.hear(log_of(ended))
    with pytest.raises(CutOffFromQueue):
        wait.answer(collects=False)


def test_an_order_ends_once() -> None:
    waits, ready = Waits(BAN_SECONDS), brewed()
    wait = collecting(waits, ready.order.order_id)
    wait.end_all(UnknownOrder)
    assert waits.hear(log_of(ready)) == []
    with pytest.raises(UnknownOrder):
        wait.answer(collects=True)
    assert wait.result is None


def test_events_of_another_department_end_nothing() -> None:
    waits, ready = Waits(BAN_SECONDS), brewed()
    wait = collecting(waits, ready.order.order_id)
    assert waits.hear(log_of(ready, hand_over(ready.order), department="delivery")) == []
    assert not wait.done.is_set()


def test_an_event_without_the_row_of_the_order_is_unclear() -> None:
    waits = Waits(BAN_SECONDS)
    wait = collecting(waits, "o")
    event = Event("o", "cancel", "waiting", "cancelled", NOON)
    assert waits.hear([Logged(1, "orders", event)]) == ["o"]
    assert not wait.done.is_set()


def test_the_end_of_a_basket_is_unclear_until_the_house_has_said_what_is_in_it() -> None:
    waits, tickets, bought = Waits(BAN_SECONDS), Tickets(), basket()
    placed = tickets.place(basket=bought, destination=HARBOUR)
    ready = finish(start(placed.order).order)
    wait = waits.join(placed.order.order_id)
    wait.looking += 1
    assert waits.hear(log_of(ready)) == [placed.order.order_id]
    wait.known = placed.order
    assert waits.hear(log_of(ready)) == []
    shown = wait.answer(collects=False).order
    assert (shown.basket, shown.destination) == (bought, HARBOUR)


def test_a_wait_that_has_ended_is_joined_only_by_the_customer_it_is_held_for() -> None:
    waits = Waits(BAN_SECONDS)
    wait = waits.join("o")
    assert waits.join("o") is wait
    wait.end_all(UnknownOrder)
    wait.is_held = True
    assert waits.join("o") is wait
    wait.is_held = False
    assert waits.join("o") is not wait


@pytest.mark.parametrize("why", ["placing", "collecting", "looking", "is_held"])
def test_a_wait_is_forgotten_with_its_last_client_and_never_one_that_followed_it(why: str) -> None:
    waits = Waits(BAN_SECONDS)
    wait = waits.join("o")
    setattr(wait, why, True)
    waits.tidy("o", wait)
    assert waits.find("o") is wait
    assert wait.is_waited_for == (why != "placing")
    assert waits.is_collected("o") == (why in {"collecting", "is_held"})
    wait.end_all(UnknownOrder)
    wait.is_held = False
    following = waits.join("o")
    setattr(wait, why, False)
    waits.tidy("o", wait)
    assert waits.find("o") is following
    waits.tidy("o", following)
    assert len(waits) == 0
