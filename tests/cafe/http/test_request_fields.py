"""How the headers Prefer and Idempotency-Key are read."""

from __future__ import annotations

from math import inf

import pytest

from cafe.http.request_fields import MalformedKey, check_key, preferred_wait


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
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
        ("wait=5; x", (5.0, "wait=5")),
        ("wait=5x", (inf, None)),
        ('wait="5', (inf, None)),
        ('wait=5"', (inf, None)),
        ("wait\xa0=5", (inf, None)),
        ('x="a, wait=5, b", wait=3', (3.0, "wait=3")),
        ('x="a, respond-async, b"', (inf, None)),
        ('x="a\\", wait=5, b", wait=3', (3.0, "wait=3")),
        ('x="a\\\\", wait=5', (5.0, "wait=5")),
        ('x=1; y="a, wait=5", wait=3', (3.0, "wait=3")),
        ('x="a, respond-async', (inf, None)),
        ('x="a, respond-async\\', (inf, None)),
        ("respond-async; x=1", (0.0, "respond-async")),
        ("respond-asynchronously", (inf, None)),
        (" , ,wait=4,", (4.0, "wait=4")),
        ("", (inf, None)),
    ],
)
def test_a_preference_is_applied_when_it_can_be_understood(
    prefer: str, expected: tuple[float, str | None]
) -> None:
    assert preferred_wait([prefer], otherwise=inf) == expected


@pytest.mark.parametrize("prefer", [None, []])
def test_without_a_preference_the_default_holds(prefer: list[str] | None) -> None:
    assert preferred_wait(prefer, otherwise=17.0) == (17.0, None)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["respond-async", "wait=5"], (0.0, "respond-async")),
        (["wait=5", "respond-async"], (0.0, "respond-async")),
        (["wait=5", "wait=7"], (5.0, "wait=5")),
        (["handling=lenient", "wait=5"], (5.0, "wait=5")),
        (["", "wait=5"], (5.0, "wait=5")),
    ],
)
def test_several_lines_are_one_list(lines: list[str], expected: tuple[float, str | None]) -> None:
    assert preferred_wait(lines, otherwise=inf) == expected


def test_a_long_malformed_list_is_read_in_linear_time() -> None:
    for piece in ('"', '\\"', '",', 'x="a, ', '"\\"'):
        assert preferred_wait([piece * 10_000], otherwise=inf) == (inf, None)


@pytest.mark.parametrize("key", ["a", "A-1_~!", "x" * 255])
def test_a_key_of_visible_characters_is_accepted(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\t", "umläut", "new\n", "\x7f"])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(MalformedKey):
        check_key(key)
