"""The base of every schema of requests, and the types of its members.

Rule: values that pass can be stored and shown everywhere: text without control characters and
surrogates, integers that a double holds exactly, finite numbers, no unknown member. Every text and
every list has a bound, which its member declares:

    class ProductIn(Schema):
        model_config = schema_example({"name": "Latte", "base_price_cents": 400, "tags": ["hot"]})

        name: Annotated[Text, Field(min_length=1, max_length=80), NFC]
        base_price_cents: Cents
        tags: Annotated[list[Tag], Field(max_length=10)] = []

Schemas are strict, so one of several texts is a `Literal`, or `Annotated[Status,
Field(strict=False)]` for an enumeration. A `pattern` of a member replaces that of `Text`, so it has
to refuse control characters itself.

In a query all values are text. Plain routes accept only numbers written as in JSON there.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any, Final
from unicodedata import normalize

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from cafe.names import tidy

MOST_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON parser reads exactly (RFC 8259, 6)."""
FIT_PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""No control characters (Unicode's Cc). Surrogates never match: pydantic refuses them first."""
NO_FIT_TEXT: Final = "Text has no control characters or surrogates"
MOST_FREE_BYTES: Final = 4096
DEEPEST_FREE: Final = 20
MOST_NORMALIZED: Final = 4096
"""The most characters: the time of normalizing grows with the square of a run of combining ones."""

_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Schema(BaseModel):
    """A request's body. Strict: texts are not read as numbers, unknown members are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def schema_example(members: dict[str, Any]) -> ConfigDict:
    """Return a schema's configuration with an example for OpenAPI."""
    return ConfigDict(json_schema_extra={"examples": [members]})


def fit(text: str) -> str:
    """Return `text`; raises PydanticCustomError for control characters and lone surrogates."""
    if _UNFIT.search(text):
        raise PydanticCustomError("unfit_text", NO_FIT_TEXT)
    return text


def nfc(text: Any) -> Any:
    """Return text in Unicode's normal form C, so that equal looking texts are equal."""
    if not isinstance(text, str):
        return text
    if len(text) > MOST_NORMALIZED:
        raise PydanticCustomError(
            "string_too_long",
            "String should have at most {max_length} characters",
            {"max_length": MOST_NORMALIZED},
        )
    return normalize("NFC", text)


def tidied(text: str) -> str:
    """Return `text` tidied; raises PydanticCustomError if nothing is left."""
    text = tidy(text)
    if not text:
        raise PydanticCustomError("string_too_short", "This is only white space")
    return text


def free(members: dict[str, Any]) -> dict[str, Any]:
    """Return an object; raises PydanticCustomError if it is too large, or cannot be stored."""
    _check_free(members, DEEPEST_FREE)
    if len(orjson.dumps(members)) > MOST_FREE_BYTES:
        raise PydanticCustomError(
            "too_large", "It should have at most {bytes} bytes as JSON", {"bytes": MOST_FREE_BYTES}
        )
    return members


def _check_free(value: Any, levels: int) -> None:
    kind = value.__class__
    if kind is dict or kind is list:
        if levels == 0:
            raise PydanticCustomError(
                "too_deep", "It should be nested at most {levels} deep", {"levels": DEEPEST_FREE}
            )
        for name in value if kind is dict else ():
            fit(name)
        for one in value.values() if kind is dict else value:
            _check_free(one, levels - 1)
    elif kind is str:
        fit(value)
    elif kind is float and not isfinite(value):
        raise PydanticCustomError("finite_number", "Numbers should be finite")
    elif kind is int and abs(value) > MOST_INTEGER:
        raise PydanticCustomError(
            "integer_too_large", "Integers should be within {most}", {"most": MOST_INTEGER}
        )


Text = Annotated[str, StringConstraints(pattern=FIT_PATTERN)]
"""Any text that can be stored; limit its length with `Field(max_length=...)`."""
NFC: Final = BeforeValidator(nfc)
"""Normalizes a text before its length is checked; the last one in `Annotated`."""
TIDY: Final = AfterValidator(tidied)
"""Tidies a text, and refuses one that is only white space."""
Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=FIT_PATTERN)]
Integer = Annotated[int, Field(strict=True, ge=-MOST_INTEGER, le=MOST_INTEGER)]
Cents = Annotated[int, Field(strict=True, ge=0, le=MOST_INTEGER)]
FreeJson = Annotated[
    dict[str, Any],
    AfterValidator(free),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": True,
            "propertyNames": {"pattern": FIT_PATTERN},
            "description": f"Any JSON object of at most {MOST_FREE_BYTES} bytes, "
            f"nested at most {DEEPEST_FREE} deep.",
        }
    ),
]
"""An object with any members: finite, bounded in bytes and depth, texts and names as in `Text`."""
Metadata = FreeJson
"""A client's own data, which it gets back unchanged."""
QueryInteger = Annotated[int, Field(ge=-MOST_INTEGER, le=MOST_INTEGER)]
"""An integer in a query or a path, where all values are text; narrow it with `Query(ge=...)`."""
