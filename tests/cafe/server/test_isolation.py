from __future__ import annotations

import pytest

from cafe.server.isolation import Contained, Throttle


class Stop(BaseException):
    """Like KeyboardInterrupt or a cancellation: not for us to end."""


def test_a_block_that_succeeds_is_not_told_of() -> None:
    told: list[BaseException] = []
    with Contained(told.append):
        pass
    assert told == []


def test_an_exception_ends_and_is_told() -> None:
    told: list[BaseException] = []
    error = ValueError("x")
    with Contained(told.append):
        raise error
    assert told == [error]


def test_a_group_of_exceptions_ends_and_is_told() -> None:
    told: list[BaseException] = []
    group = ExceptionGroup("two", [ValueError("x"), OSError("y")])
    with Contained(told.append):
        raise group
    assert told == [group]


def test_what_is_more_than_an_exception_goes_on_untold() -> None:
    told: list[BaseException] = []
    with pytest.raises(Stop), Contained(told.append):
        raise Stop
    assert told == []


def test_of_a_mixed_group_the_exceptions_end_and_the_rest_goes_on() -> None:
    told: list[BaseException] = []
    error = ValueError("x")
    with pytest.raises(BaseExceptionGroup) as raised, Contained(told.append):
        raise BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [Stop(), error])])
    assert raised.group_contains(Stop)
    assert not raised.group_contains(ValueError)
    assert isinstance(told[0], BaseExceptionGroup)


def test_a_group_without_an_exception_goes_on_untold() -> None:
    told: list[BaseException] = []
    with pytest.raises(BaseExceptionGroup), Contained(told.append):
        raise BaseExceptionGroup("only", [Stop()])
    assert told == []


def test_a_burst_passes_and_the_rest_of_the_period_is_counted() -> None:
    now = 100.0
    throttle = Throttle(burst=2, seconds=10, now=lambda: now)
    assert [throttle.passes() for _ in range(5)] == [True, True, False, False, False]
    assert throttle.take_held_back() == 3
    assert throttle.take_held_back() == 0
    now = 110.0
    assert [throttle.passes() for _ in range(3)] == [True, True, False]
