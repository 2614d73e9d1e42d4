"""What a front sends, what it reports as open, and what it fails with its house."""

from __future__ import annotations

from cafe.bus.batches import Asks, Open
from cafe.bus.codec import encode
from cafe.bus.open_asks import MOST_IN_BATCH, OpenAsks


def ask(front: OpenAsks) -> int:
    return front.add("Dispatcher", "CountQueue", encode(None))


def sent() -> tuple[OpenAsks, int]:
    """Return a front that has sent one ask to its house, and the number of that."""
    front = OpenAsks("front")
    front.begin("house")
    number = ask(front)
    front.take()
    return front, number


def test_nothing_is_sent_before_a_house_is_known_and_then_all_goes_to_that() -> None:
    front = OpenAsks("front")
    number = ask(front)
    assert not front.has_news
    assert front.begin("house") == []
    assert front.has_news
    batch = front.take()
    assert (batch.house, [one.number for one in batch.asks]) == ("house", [number])


def test_a_backlog_goes_in_batches_in_the_order_of_its_asks() -> None:
    front = OpenAsks("front")
    front.begin("house")
    numbers = [ask(front) for _ in range(2 * MOST_IN_BATCH + 1)]
    batches = list[Asks]()
    while front.has_news:
        batches.append(front.take())
    assert [len(one.asks) for one in batches] == [MOST_IN_BATCH, MOST_IN_BATCH, 1]
    assert [one.number for batch in batches for one in batch.asks] == numbers


def test_a_report_is_due_while_an_ask_is_open_and_once_after_the_last_has_ended() -> None:
    front = OpenAsks("front")
    front.begin("house")
    assert not front.has_open
    number = ask(front)
    front.take()
    assert front.has_open
    front.take(report=True)
    assert front.has_open
    front.settle(number)
    front.settle(number)  # the answer came twice
    assert front.has_open
    assert front.take(report=True).open == Open(number, [])
    assert not front.has_open


def test_a_cancel_goes_at_once_and_again_with_each_report_until_its_outcome_comes() -> None:
    front, number = sent()
    assert front.cancel(number)
    assert front.has_news
    assert front.take().cancelled == [number]
    assert not front.has_news
    assert front.take().cancelled == []
    assert front.take(report=True).cancelled == [number]
    assert front.take(report=True).cancelled == [number]
    front.settle(number)
    assert front.take(report=True).cancelled == []


def test_a_cancel_goes_once_in_a_batch_with_a_report() -> None:
    front, number = sent()
    front.cancel(number)
    assert front.take(report=True).cancelled == [number]


def test_a_house_is_not_told_what_was_cancelled_in_the_one_before() -> None:
    front, number = sent()
    front.cancel(number)
    assert front.begin("next") == [number]
    assert not front.has_news
    assert front.take(report=True).cancelled == []


def test_an_ask_that_is_to_be_sent_again_and_fails_with_its_house_is_not_sent_to_the_next() -> None:
    front, number = sent()
    front.repeat(number)
    assert front.begin("next") == [number]
    assert front.take().asks == []


def test_an_ask_that_is_settled_is_not_sent_again() -> None:
    front, number = sent()
    front.settle(number)
    front.repeat(number)
    assert not front.has_news


def test_an_ask_that_is_sent_again_with_a_report_is_open_in_it() -> None:
    front, number = sent()
    front.repeat(number)
    assert front.take(report=True).open == Open(number, [number])
