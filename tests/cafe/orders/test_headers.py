from __future__ import annotations

from math import inf

import pytest

from cafe.orders.headers import MalformedKey, checked_key, preferred_wait


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        (None, (inf, None)),
        ("wait=10", (10.0, "wait=10")),
        ("Wait = 10", (10.0, "wait=10")),
        ('wait="7"', (7.0, "wait=7")),
        ("respond-async", (0.0, "respond-async")),
        ("respond-async, wait=10", (0.0, "respond-async")),
        ("wait=10, respond-async", (0.0, "respond-async")),
        ("handling=lenient; x=1, wait=3", (3.0, "wait=3")),
        ("wait=3, wait=9", (3.0, "wait=3")),
        ("wait=-1", (inf, None)),
        ("wait=1e3", (inf, None)),
        ("wait=soon", (inf, None)),
        ("", (inf, None)),
    ],
)
def test_a_preference_is_applied_when_it_can_be_understood(
    prefer: str | None, expected: tuple[float, str | None]
) -> None:
    assert preferred_wait(prefer, otherwise=inf) == expected


@pytest.mark.parametrize("key", [None, "a", "A-1_~!", "x" * 255])
def test_a_visible_key_is_taken(key: str | None) -> None:
    assert checked_key(key) == key


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\t", "umläut", "new\n", "\x7f"])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(MalformedKey):
        checked_key(key)
