"""The load's record: a server that gets an order wrong has no figure."""

from __future__ import annotations

import json
from time import perf_counter

import pytest

from bench.tally import Tally, WrongAnswerError
from bench.wire import Answer

NO_ORDER = Answer(204, b"")


def answer_with(order_id: str, status: int = 200) -> Answer:
    return Answer(status, json.dumps({"order_id": order_id}).encode())


def test_an_order_that_is_handed_out_twice_is_an_error() -> None:
    tally = Tally()
    assert tally.start(answer_with("a")) == "a"
    with pytest.raises(WrongAnswerError, match="handed out twice"):
        tally.start(answer_with("a"))


def test_an_order_that_is_collected_before_it_is_finished_is_an_error() -> None:
    with pytest.raises(WrongAnswerError, match="before it was finished"):
        Tally().collect(answer_with("a"), 0.0)


def test_an_order_that_is_collected_twice_is_an_error() -> None:
    tally = Tally(finished_at={"a": 0.0})
    tally.collect(answer_with("a"), 0.0)
    with pytest.raises(WrongAnswerError, match="collected twice"):
        tally.collect(answer_with("a"), 0.0)


def test_an_order_that_is_never_collected_is_an_error() -> None:
    with pytest.raises(WrongAnswerError, match="of 1 orders 0 were collected"):
        Tally(placed=1).close(strangers=False)


def test_an_order_that_was_never_placed_is_an_error_unless_strangers_order_too() -> None:
    tally = Tally(finished_at={"a": 0.0})
    with pytest.raises(WrongAnswerError, match="never placed"):
        tally.close(strangers=False)
    tally.close(strangers=True)


def test_any_other_answer_than_200_is_an_error() -> None:
    with pytest.raises(WrongAnswerError, match="503 instead of 200"):
        Tally().start(answer_with("a", 503))


def test_the_result_has_the_orders_of_the_measured_seconds_and_the_median_of_their_waits() -> None:
    now = perf_counter()
    tally = Tally(placed=4)
    for order_id, placed_at in {"a": now - 3.0, "b": now - 2.0, "c": now - 1.0}.items():
        tally.finished_at[order_id] = now
        tally.collect(answer_with(order_id), placed_at)
    tally.collected_at["early"], tally.finished_at["early"] = now - 50.0, now - 51.0
    result = tally.result(now - 10.0, now + 10.0)
    assert (result.orders, result.placed) == (3, 4)
    assert result.wait == pytest.approx(2.0, abs=0.5)


def test_the_result_counts_polls_that_found_no_order() -> None:
    tally = Tally()
    assert [tally.start(answer) for answer in (NO_ORDER, answer_with("a"), NO_ORDER)] == [
        None,
        "a",
        None,
    ]
    assert tally.result(0.0, 1.0).polls == 2
