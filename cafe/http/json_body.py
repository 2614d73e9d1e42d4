"""Strict parsing of JSON: a body that two parsers could read differently is refused.

Rule: one parser for the bodies of all routes (I-JSON, RFC 7493). A body that is not JSON is a 400:
NaN and Infinity, an encoding other than UTF-8, a byte order mark. JSON that is ambiguous is a 422:
two members of one name in an object, a number that a double cannot hold, half of a surrogate pair,
more levels than `from_json` reads (200). A body is never quoted: it may be a password, or something
that a page should not show.

How it is fast: pydantic's parser is faster than the standard library's, and reports all of this
except duplicate members, of which it keeps the last, and numbers that are too large, which it reads
as infinite. Each member of an object has one colon outside of texts. So if the body has as many
colons as the value has members, no member was lost. A body with more is parsed once more, by the
standard library, which returns all members of an object.
"""

from __future__ import annotations

import json
import re
from email.message import Message as Fields
from functools import lru_cache
from math import inf
from typing import Any, Final, NoReturn

from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_INFINITE: Final = (inf, -inf)


class _DuplicateMemberError(Exception):
    """An object has two members of one name."""


class _NotANumberError(Exception):
    """`NaN`, `Infinity` or `-Infinity`, which the standard library reads as numbers."""


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text; raises RequestValidationError, as FastAPI does."""
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        # Only its text identifies it; the standard library's limit depends on the Python version.
        if str(error).startswith("recursion limit"):
            raise _too_deep() from None
        _refuse(raw)
    # In a list, so that a lone number is checked, too.
    if _members(value if value.__class__ is dict else [value]) != raw.count(b":"):
        _refuse_duplicates(raw)
    return value


def _members(value: Any) -> int:
    """Return how many members all objects in a dict or list have, to any depth.

    Raises RequestValidationError for a number that is infinite.
    """
    is_object = value.__class__ is dict
    count = len(value) if is_object else 0
    for one in value.values() if is_object else value:
        kind = one.__class__
        if kind is dict or kind is list:
            count += _members(one)
        elif kind is float and one in _INFINITE:
            raise _wrong("finite_number", "Numbers should be finite, and within a double's range")
    return count


def _refuse_duplicates(raw: bytes) -> None:
    try:
        _PAIRS.decode(raw.decode())
    except _DuplicateMemberError:
        raise _wrong("duplicate_member", "An object has two members of one name") from None


def _refuse(raw: bytes) -> NoReturn:
    """Raise the error of a body that `from_json` has refused."""
    try:
        text = raw.decode()
        value = json.loads(text, parse_constant=_not_a_number)
        is_half = _SURROGATE.search(json.dumps(value, ensure_ascii=False)) is not None
    except UnicodeDecodeError as error:
        raise _no_json("The body is not UTF-8", error.start) from None
    except json.JSONDecodeError as error:
        raise _no_json("JSON decode error", error.pos) from None
    except _NotANumberError:
        raise _no_json("NaN and Infinity are no JSON") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # more digits than Python converts
        raise _wrong("finite_number", "A number has too many digits") from None
    if is_half:
        raise _wrong("lone_surrogate", "Text has no lone surrogates")
    raise _no_json("JSON decode error")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _DuplicateMemberError
    return members


# Made once: `json.loads` makes one for each body, which takes as long as decoding it.
_PAIRS: Final = json.JSONDecoder(object_pairs_hook=_unique)


def _not_a_number(_name: str) -> NoReturn:
    raise _NotANumberError


def _no_json(message: str, *position: int) -> RequestValidationError:
    wrong = {"type": "json_invalid", "loc": ("body", *position), "msg": message}
    return RequestValidationError([wrong])


def _too_deep() -> RequestValidationError:
    return _wrong("too_deep", "JSON is nested too deeply")


def _wrong(kind: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("body",), "msg": message}])


@lru_cache(maxsize=16)
def is_json(content_type: bytes) -> bool:
    """Return whether a Content-Type is JSON, by FastAPI's rule."""
    fields = Fields()
    fields["content-type"] = content_type.decode("latin-1")
    subtype = fields.get_content_subtype()
    is_application = fields.get_content_maintype() == "application"
    return is_application and (subtype == "json" or subtype.endswith("+json"))
