"""The types of members of requests about tables and bookings: parsed, checked and normalized.

Rule: a time is text with an offset, and never a number: a client that sends a number means its own
clock or zone. A guest's name is shown to managers and in letters, so it has no line break, and
nothing that a mail program would turn into a link.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from cafe.bookings.period import LONGEST_TEXT, read_time
from cafe.bookings.table import TableType
from cafe.http.email_address import EMAIL_SCHEMA, checked_email
from cafe.http.schema import NFC, Text

A_TIME: Final = "2026-06-01T19:00:00+02:00"
MOST_SEATS: Final = 1_000
MOST_NUMBER: Final = 1_000_000
MOST_CENTS: Final = 10_000_000
LONGEST_REASON: Final = 500
PHONE: Final = r"^\+?[0-9][0-9 ()/.-]{3,30}[0-9]$"
_LINE: Final = re.compile("[\u2028\u2029]")
# A dot between letters, in any of the forms that browsers take for one (UTS 46), too.
_LINK: Final = re.compile(r"://|www\.|\w[.\u3002\uff0e\uff61]\w{2}", re.IGNORECASE)


def time_of(text: Any) -> float:
    """Return the time that a text names; raises PydanticCustomError for any other value."""
    try:
        if isinstance(text, str) and len(text) <= LONGEST_TEXT:
            return read_time(text)
    except ValueError:
        pass
    raise PydanticCustomError(
        "time", "A time is text with an offset, as in {one} (RFC 3339)", {"one": A_TIME}
    )


def email_of(text: Any) -> str:
    """Return an e-mail address, in ASCII if possible; raises an error for any other value."""
    address = checked_email(text)
    return address.ascii_email or address.normalized


def _name(text: str) -> str:
    if _LINE.search(text):
        raise PydanticCustomError("name", "A name has no line breaks")
    if _LINK.search(text):
        raise PydanticCustomError("name", "A name has no links; write a space behind a dot")
    return text


def name_or_none(text: str | None) -> str | None:
    """Return a text as a guest's name; None if it is not allowed as one."""
    try:
        return None if text is None else _A_NAME.validate_python(text)
    except ValidationError:
        return None


TIME_SCHEMA: Final = {
    "type": "string",
    "format": "date-time",
    "maxLength": LONGEST_TEXT,
    "examples": [A_TIME],
}
Time = Annotated[float, PlainValidator(time_of), WithJsonSchema(TIME_SCHEMA)]
EmailText = Annotated[str, PlainValidator(email_of), EMAIL_SCHEMA]
Phone = Annotated[str, Field(max_length=32, pattern=PHONE)]
Name = Annotated[Text, Field(min_length=1, max_length=80), AfterValidator(_name), NFC]
_A_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)
Reason = Annotated[Text, Field(min_length=1, max_length=LONGEST_REASON)]
Seats = Annotated[int, Field(ge=1, le=MOST_SEATS)]
Cents = Annotated[int, Field(ge=0, le=MOST_CENTS)]
Type = Annotated[TableType, Field(strict=False)]
