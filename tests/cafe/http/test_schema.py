"""What a schema accepts, and what no schema lets pass."""

from __future__ import annotations

import json
from typing import Annotated, Any
from unicodedata import normalize

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from cafe.http.schema import (
    DEEPEST_FREE,
    MOST_FREE_BYTES,
    MOST_INTEGER,
    MOST_NORMALIZED,
    NFC,
    Cents,
    FreeJson,
    Id,
    Integer,
    Metadata,
    Schema,
    Text,
    fit,
    schema_example,
)

UNFIT = ["\0", "a\nb", "\t", "\x1b[31m", "\x7f", "\x85", "\ud800", "a\udfff", "\ud83d\ud83d"]


class Sale(Schema):
    model_config = schema_example({"name": "Latte", "count": 1})

    name: Annotated[Text, Field(max_length=5)]
    count: Integer = 0
    price_cents: Cents = 0
    seller: Id = "a"
    metadata: Metadata = Field(default_factory=dict)


def types_of(error: ValidationError) -> list[str]:
    return [one["type"] for one in error.errors()]


@pytest.mark.parametrize("text", UNFIT)
def test_text_has_no_control_characters_and_no_surrogates(text: str) -> None:
    for members in (
        {"name": text},
        {"name": "a", "seller": text},
        {"name": "a", "metadata": {text: 1}},
        {"name": "a", "metadata": {"a": [{"b": text}]}},
        {"name": "a", text: 1},
    ):
        with pytest.raises(ValidationError):
            Sale.model_validate(members)
    with pytest.raises(PydanticCustomError):
        fit(text)


@pytest.mark.parametrize("text", ["", "Zoë", "☕", "أهلا", "👩‍🍳", "a b\u00a0c", "\u2028"])
def test_text_of_every_script_is_accepted(text: str) -> None:
    assert Sale(name=text).name == fit(text) == text


@pytest.mark.parametrize("count", [2.0, "2", True, None, 1e300, 10**30, 2**53, -(2**53), [1]])
def test_an_integer_is_a_true_one_within_53_bits(count: Any) -> None:
    with pytest.raises(ValidationError):
        Sale(name="a", count=count)
    with pytest.raises(ValidationError):
        Sale(name="a", price_cents=count)


def test_the_largest_integers_are_accepted_and_no_price_is_below_zero() -> None:
    assert Sale(name="a", count=-MOST_INTEGER, price_cents=MOST_INTEGER).count == -MOST_INTEGER
    with pytest.raises(ValidationError):
        Sale(name="a", price_cents=-1)


def test_the_length_of_a_text_is_documented_and_named_when_it_is_exceeded() -> None:
    name = Sale.model_json_schema()["properties"]["name"]
    assert (name["maxLength"], name["type"], "pattern" in name) == (5, "string", True)
    with pytest.raises(ValidationError, match="at most 5 characters"):
        Sale(name="Cortado")


def test_an_error_does_not_quote_what_was_sent() -> None:
    with pytest.raises(ValidationError) as raised:
        Sale.model_validate({"name": "rosebud", "count": "rosebud"})
    assert "rosebud" not in str(raised.value)


numbers = st.integers(-MOST_INTEGER, MOST_INTEGER) | st.floats(
    allow_nan=False, allow_infinity=False
)
fit_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
free_values = st.recursive(
    st.none() | st.booleans() | numbers | fit_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fit_texts, inner, max_size=3),
)
free_json = TypeAdapter[dict[str, Any]](FreeJson)


@given(st.dictionaries(fit_texts, free_values, max_size=5))
def test_free_json_is_kept_as_it_is_if_it_is_small(members: dict[str, Any]) -> None:
    if len(orjson.dumps(members)) <= MOST_FREE_BYTES:
        assert free_json.validate_python(members) == members


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"a": float("nan")}, "finite_number"),
        ({"a": [float("-inf")]}, "finite_number"),
        ({"a": 10**30}, "integer_too_large"),
        ({"a": {"b": -(2**53)}}, "integer_too_large"),
        (nested(DEEPEST_FREE + 2), "too_deep"),
        ({"a": "x" * MOST_FREE_BYTES}, "too_large"),
        ({"é" * 2_047: 1}, "too_large"),
        ({str(number): number for number in range(1_000)}, "too_large"),
    ],
)
def test_free_json_is_finite_and_bounded(members: dict[str, Any], kind: str) -> None:
    with pytest.raises(ValidationError) as raised:
        free_json.validate_python(members)
    assert types_of(raised.value) == [kind]


def test_free_json_may_have_exactly_its_bytes_and_levels() -> None:
    members = {"a": "x" * (MOST_FREE_BYTES - 8)}
    assert len(json.dumps(members, separators=(",", ":"))) == MOST_FREE_BYTES
    assert free_json.validate_python(members) == members
    assert free_json.validate_python(nested(DEEPEST_FREE))
    others: list[object] = [[], "a", 1, None]
    for value in others:
        with pytest.raises(ValidationError):
            free_json.validate_python(value)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_a_normalized_text_is_checked_as_it_will_be_stored(text: str) -> None:
    name = TypeAdapter[str](Annotated[Text, Field(max_length=20), NFC])
    stored = normalize("NFC", text)
    if len(stored) <= 20:
        assert name.validate_python(text) == stored
    assert name.validate_python("e\u0301" * 20) == "é" * 20
    assert name.json_schema()["maxLength"] == 20


def test_a_text_that_takes_long_to_normalize_is_refused_before_it_is() -> None:
    name = TypeAdapter[str](Annotated[Text, Field(max_length=10**6), NFC])
    with pytest.raises(ValidationError) as raised:
        name.validate_python("\u0301" * (MOST_NORMALIZED + 1))
    assert types_of(raised.value) == ["string_too_long"]
    with pytest.raises(ValidationError):
        name.validate_python(5, strict=True)
