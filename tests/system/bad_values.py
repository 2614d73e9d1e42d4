"""The values that no place may take, by type, as they are written in JSON or in a query.

Rule: each has a name, by which a failing test names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

NEEDLE: Final = "rosebud4711"
"""Is in every bad text; no response has it."""
LONG: Final = NEEDLE * 2_000
HUGE: Final = "1" + "0" * 30
DEEP: Final = "[" * 5_000 + "]" * 5_000
SHOWN: Final = 64
"""Characters of an unknown member's name that a response may show."""

UNFIT_TEXTS: Final = {
    "NUL": "\\u0000",
    "line feed": "\\n",
    "escape": "\\u001b",
    "DEL": "\\u007f",
    "C1": "\\u0085",
    "surrogate": "\\ud800",
    "low surrogate": "\\udfff",
}
"""As they are written in JSON."""
NO_JSON: Final = {"NaN": "NaN", "Infinity": "-Infinity"}
NEVER: Final = {**NO_JSON, "deep": DEEP, "too large": "1e999"}
"""What belongs into no place at all."""
BAD_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "string": {
        **{name: f'"a{unfit}{NEEDLE}"' for name, unfit in UNFIT_TEXTS.items()},
        "long": json.dumps(LONG),
        "integer": "5",
        "boolean": "true",
        "list": f'["{NEEDLE}"]',
    },
    "integer": {
        "2.0": "2.0",
        "text": '"2"',
        "true": "true",
        "huge": HUGE,
        "minus huge": f"-{HUGE}",
        "54 bits": str(2**53),
        "list": "[1]",
        "object": f'{{"{NEEDLE}":1}}',
    },
    "number": {"text": '"2"', "true": "true", "list": "[1]"},
    "boolean": {"1": "1", "text": '"true"', "list": "[true]"},
    "array": {"text": f'"{NEEDLE}"', "object": f'{{"{NEEDLE}":1}}', "1": "1"},
    "object": {"text": f'"{NEEDLE}"', "list": "[]", "1": "1"},
}
BAD_MEMBERS: Final = {
    "unknown": '"unknown":1',
    "unknown and long": f'"{"x" * SHOWN}{NEEDLE}":1',
    **{f"unknown, {name}": f'"{unfit}":"{NEEDLE}"' for name, unfit in UNFIT_TEXTS.items()},
}
"""What no object with known members may have beside them."""
FREE_MEMBERS: Final = {
    **{f"name, {name}": f'"{unfit}{NEEDLE}":1' for name, unfit in UNFIT_TEXTS.items()},
    **{f"text, {name}": f'"a":["{unfit}{NEEDLE}"]' for name, unfit in UNFIT_TEXTS.items()},
    **{name: f'"a":[{{"b":{value}}}]' for name, value in NEVER.items()},
    "huge": f'"a":{HUGE}',
    "too many bytes": f'"a":"{NEEDLE * 500}"',
    "duplicate": f'"a":"{NEEDLE}","a":1',
    "inner duplicate": f'"a":{{"b":"{NEEDLE}","b":1}}',
}
"""What no object with free members may have."""
BAD_PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "string": (
        *(f"a{unfit}{NEEDLE}" for unfit in ("%00", "%0A", "%1B", "%7F", "%C2%85")),
        *(f"{NEEDLE}{no_text}" for no_text in ("%FF", "%ED%A0%80")),
        LONG[:6_000],
    ),
    "integer": ("1_000", "%205", "5%20", "%2B5", "2.0", "true", "1e999", "NaN", HUGE, "%D9%A3"),
    "number": ("1_0", "%205", "5%20", "%2B5", "true", "1e999", "NaN", "inf", HUGE, "%D9%A3"),
    "boolean": (f"maybe{NEEDLE}",),
    "array": (),
}
"""As they are written in a path, a query or a form."""
BAD_HEADERS: Final = (b"a\x85" + NEEDLE.encode(), b"\xed\xa0\x80", b"x" * 300)

RIGHT: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset({"text"}),
    "integer": frozenset({"1", "integer"}),
    "number": frozenset({"1", "2.0", "integer", "54 bits", "huge", "minus huge"}),
    "boolean": frozenset({"true", "boolean"}),
    "array": frozenset({"list"}),
    "object": frozenset({"object"}),
    "null": frozenset(),
}
"""The names of those values above that are right where a type is allowed beside another."""
