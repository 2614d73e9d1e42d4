"""The base of every schema of what a client sends, and the types of its members.

Rule: what passes here can be stored and shown by everything behind it: text without control
characters and surrogates, integers that a double can hold, no member that is not known.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

MOST_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON parser reads exactly (RFC 8259, 6)."""
# Control characters (Unicode's Cc), and halves of surrogate pairs.
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def fit(text: str) -> str:
    """Return `text`; raises an error for control characters and lone surrogates."""
    if _UNFIT.search(text):
        raise PydanticCustomError("unfit_text", "Text has no control characters or surrogates")
    return text


class Schema(BaseModel):
    """What a client sends. Strict: no text is a number, and no unknown member is dropped."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def schema_example(members: dict[str, Any]) -> ConfigDict:
    """Return a schema's configuration with an example for OpenAPI."""
    return ConfigDict(json_schema_extra={"examples": [members]})


Text = Annotated[str, AfterValidator(fit)]
"""Any text that can be stored; bound its length with `Field(max_length=...)`."""
Id = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(fit)]
Integer = Annotated[int, Field(strict=True, ge=-MOST_INTEGER, le=MOST_INTEGER)]
Cents = Annotated[int, Field(strict=True, ge=0, le=MOST_INTEGER)]
