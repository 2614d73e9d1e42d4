"""Fields that several systems share: decimal prices, and values in JSON or in the query.

Rule: a price is a decimal there and cents here, with the same bound as in our own API. A price that
is not a whole number of cents is refused.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cafe.bookings.fields import MOST_CENTS as MOST_FOR_TABLE
from cafe.http.parameters import PLAIN
from cafe.http.refusals import Invalid
from cafe.http.schema import MOST_INTEGER
from cafe.menu.product import MOST_CENTS as MOST_FOR_PRODUCT

T = TypeVar("T")
_MOST_CHARACTERS: Final = 20


class Unclear(Invalid):
    """A value is missing, or the body and the query have two."""

    kind: ClassVar[str] = "either"


def either(name: str, in_body: T | None, in_query: T | None) -> T:
    """Return the value in a request's body or query; raises Unclear for none, or two.

    The same value in both is accepted.
    """
    given = [one for one in (in_body, in_query) if one is not None]
    if not given or given[0] != given[-1]:
        sentence = f"Send `{name}` once: as a member of a JSON object, or in the query."
        raise Unclear(sentence, "body", name)
    return given[0]


def cents_of(price: Any, *, most: int) -> int:
    """Return a decimal price in cents, at most `most`; raises PydanticCustomError for others."""
    if isinstance(price, str):
        is_number = len(price) <= _MOST_CHARACTERS and PLAIN[float].fullmatch(price) is not None
    else:
        is_number = isinstance(price, int | float) and not isinstance(price, bool)
    if is_number:
        try:
            cents = Decimal(str(price)) * 100
            if 0 <= cents <= most and cents == cents.to_integral_value():
                return int(cents)
        except InvalidOperation:
            pass
    raise PydanticCustomError(
        "price",
        "A price is a decimal with at most two places, from 0 to {most}",
        {"most": most // 100},
    )


def price_of(cents: int) -> float:
    """Return cents as a decimal price."""
    return cents / 100


def price_schema(most: int) -> dict[str, Any]:
    """Return the JSON schema of a price of at most `most` cents."""
    return {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": most // 100},
            {"type": "string", "maxLength": _MOST_CHARACTERS},
        ],
        "examples": [3.5],
    }


TablePrice = Annotated[
    int,
    PlainValidator(partial(cents_of, most=MOST_FOR_TABLE)),
    WithJsonSchema(price_schema(MOST_FOR_TABLE)),
]
"""A decimal price, as a number or as text, whose value is in cents; as the other two."""
ProductPrice = Annotated[
    int,
    PlainValidator(partial(cents_of, most=MOST_FOR_PRODUCT)),
    WithJsonSchema(price_schema(MOST_FOR_PRODUCT)),
]
TotalPrice = Annotated[
    int,
    PlainValidator(partial(cents_of, most=MOST_INTEGER)),
    WithJsonSchema(price_schema(MOST_INTEGER)),
]
"""The total of a basket."""
