"""How the attacker counts the answers. That it attacks is tested in tests/system."""

from __future__ import annotations

import dataclasses
import json

import pytest

from cafe.players.attacker import Attack, Tally, parse_answer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b'HTTP/1.1 429 \r\nRetry-After: 1\r\n\r\n{"limit": "requests"}'
BANNED = b'HTTP/1.1 429 \r\n\r\n{"limit": "banned"}'
LOST = b""


def tally(*responses: bytes) -> Tally:
    """Count responses that arrive a second apart, the first after one second."""
    counted = Tally()
    for second, response in enumerate(responses, start=1):
        counted.add(response, float(second))
    return counted


@pytest.mark.parametrize(
    ("response", "name"),
    [
        (OK, "200"),
        (BANNED, "429 banned"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503"),
        (b"HTTP/1.1 429 \r\n\r\n[]", "429"),
        (b"HTTP/1.1 429 \r\n\r\n{}", "429"),
        (b"HTTP/1.1", None),
        (LOST, None),
    ],
)
def test_an_answer_is_named_by_its_status_and_limit(response: bytes, name: str | None) -> None:
    assert parse_answer(response) == name


def test_orders_are_counted_by_outcome() -> None:
    assert tally(OK, REFUSED, REFUSED, LOST).result(orders=10) == Attack(
        orders=10,
        answers={"200": 1, "429 requests": 2},
        lost=1,
        unanswered=6,
        first_cut=4.0,
        last_answer=3.0,
    )


def test_an_attacker_is_cut_off_by_an_answer_that_it_is_banned() -> None:
    assert tally(REFUSED, BANNED, LOST).first_cut == 2.0


def test_a_refusal_alone_does_not_cut_an_attacker_off() -> None:
    assert tally(OK, REFUSED).first_cut is None
    assert tally().last_answer is None


def test_a_printed_result_is_parsed_back() -> None:
    result = Attack(3, {"429 banned": 1}, 1, 1, 0.25, None)
    assert Attack.parse(json.dumps(dataclasses.asdict(result))) == result


def test_the_text_of_a_result_has_a_line_for_each_outcome() -> None:
    text = Attack(5000, {"429 waiting": 200, "200": 3}, 4000, 797, 0.25, 0.5).text()
    assert text.splitlines() == [
        "    3 x 200",
        "  200 x 429 waiting",
        " 4000 x connection refused or closed",
        "  797 x no answer until the attacker gave up",
        "first cut off after 0.25 s",
        "last answer after 0.50 s, nothing since",
    ]


def test_the_text_of_a_result_says_when_the_attacker_was_never_cut_off_and_never_answered() -> None:
    text = Attack(2, {}, 0, 2, None, None).text()
    assert "never cut off" in text
    assert "no answer at all" in text


def test_a_limit_named_by_the_shop_is_escaped_onto_one_line() -> None:
    text = Attack(1, {"429 \x1b[2J\n1": 1}, 0, 0, None, None).text()
    assert text.splitlines()[0] == r"    1 x '429 \x1b[2J\n1'"
