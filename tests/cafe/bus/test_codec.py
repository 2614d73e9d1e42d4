"""Values are decoded as they were encoded, by their declared types, or are refused."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Message
from cafe.bus.codec import (
    HEADER,
    VERSION,
    WrongVersion,
    answer_of,
    arguments_from_bytes,
    arguments_to_bytes,
    decoder_of,
    encode,
    refusal_from_bytes,
    refusal_to_bytes,
    seal,
    unseal,
)
from cafe.http.refusals import CafeRefusal, Invalid
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.orders.order import Status
from cafe.orders.pause import Pause
from cafe.orders.refusals import OrderConflict, Paused, TooManyWaiting, UnknownOrder


@dataclass(frozen=True, slots=True)
class Grind(Message[Any, dict[str, tuple[int, ...]]]):
    """A message of a test."""

    beans: int
    how: str = "fine"


@given(st.binary())
def test_bytes_come_back_as_they_were(body: bytes) -> None:
    assert unseal(seal(body)) == body


@pytest.mark.parametrize("data", [b"", b"\xff", bytes((VERSION[0] + 1, 0)) + b"rest"])
def test_another_major_version_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(WrongVersion, match="one release of the café on all machines"):
        unseal(data)


def test_another_minor_version_is_read() -> None:
    assert bytes(unseal(bytes((VERSION[0], VERSION[1] + 7)) + b"rest")) == b"rest"
    assert bytes(VERSION) == HEADER


def test_unknown_members_of_a_message_of_a_newer_minor_version_are_dropped() -> None:
    newer = encode({"beans": 3, "how": "coarse", "colour": "brown"})
    assert decoder_of(Grind)(newer) == Grind(3, "coarse")


def test_missing_members_of_a_message_of_an_older_minor_version_have_their_defaults() -> None:
    assert decoder_of(Grind)(encode({"beans": 3})) == Grind(3)


@pytest.mark.parametrize("wrong", [{"how": "fine"}, {"beans": "many"}, [], 3, None])
def test_bytes_of_another_type_are_refused(wrong: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoder_of(Grind)(encode(wrong))


def test_the_type_of_an_answer_is_the_one_that_its_message_names() -> None:
    assert answer_of(Grind) == dict[str, tuple[int, ...]]


@pytest.mark.parametrize(
    "refusal",
    [
        UnknownOrder(),
        OrderConflict(Status.READY, "cancelled"),
        TooManyWaiting(400, 12.5),
        Paused(Pause(1000.0, "de", None), 940.0),
        LedgerUnavailable(),
        NotRecorded("conflict"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_refusal_is_the_same_problem_at_the_other_end(refusal: CafeRefusal) -> None:
    crossed = refusal_from_bytes(refusal_to_bytes(refusal))
    assert type(crossed) is type(refusal)
    assert str(crossed) == str(refusal)
    assert crossed.problem_members() == refusal.problem_members()
    assert crossed.headers() == refusal.headers()


def test_a_status_in_a_refusal_is_decoded_as_a_status() -> None:
    crossed = refusal_from_bytes(refusal_to_bytes(OrderConflict(Status.READY, "cancelled")))
    assert isinstance(crossed, OrderConflict)
    assert crossed.order_status is Status.READY


def test_a_refusal_with_any_number_of_arguments_is_decoded() -> None:
    class WrongBean(Invalid):
        """A refusal of a test."""

        kind = "bean"

    crossed = refusal_from_bytes(refusal_to_bytes(WrongBean("No bean.", "body", 3, detail="No.")))
    assert crossed.problem_members() == {
        "errors": [{"loc": ["body", 3], "type": "bean", "message": "No bean."}]
    }


def test_a_refusal_without_a_constructor_keeps_its_sentence() -> None:
    class OutOfMilk(CafeRefusal):
        """A refusal of a test."""

    crossed = refusal_from_bytes(refusal_to_bytes(OutOfMilk("There is no milk.")))
    assert (type(crossed), str(crossed)) == (OutOfMilk, "There is no milk.")


def test_a_refusal_of_an_unknown_class_is_a_lookup_error() -> None:
    made = encode(["cafe.tomorrow.Unheard", msgspec.Raw(arguments_to_bytes((), {}))])
    with pytest.raises(LookupError):
        refusal_from_bytes(made)


def brew(_connection: object, beans: int, how: str = "fine", *, until: float = inf) -> str:
    return f"{beans} {how} {until}"


def test_arguments_are_decoded_by_the_annotations_of_their_function() -> None:
    args, named = arguments_from_bytes(brew, arguments_to_bytes((3,), {"until": 4.5}))
    assert brew(None, *args, **named) == "3 fine 4.5"


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(TypeError, match="brew has no argument sugar"):
        arguments_from_bytes(brew, arguments_to_bytes((), {"beans": 3, "sugar": 1}))
