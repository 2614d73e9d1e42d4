"""How the values of options are parsed, and the errors for wrong ones."""

from __future__ import annotations

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cafe.cli.asking import parse_full_url
from cafe.players.options import (
    Span,
    parse_address,
    parse_sizes,
    parse_span,
    seeded_random,
)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30-60", Span(30, 60)),
        ("0.5-1.5", Span(0.5, 1.5)),
        ("45", Span(45, 45)),
        ("0-0", Span(0, 0)),
    ],
)
def test_a_span_is_two_numbers_or_one(text: str, span: Span) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["60-30", "x", "", "-5", "1-", "1-2-3", "nan-nan", "1e3"])
def test_a_wrong_span_is_one_sentence_that_repeats_it(text: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        parse_span(text)
    assert caught.value.message.startswith(text)
    assert "\n" not in caught.value.message


def test_the_error_for_a_reversed_span_shows_the_right_order() -> None:
    with pytest.raises(typer.BadParameter, match="did you mean 30-60"):
        parse_span("60-30")


@given(low=st.integers(0, 400_000), more=st.integers(0, 400_000), seed=st.integers())
def test_a_span_is_shown_as_it_is_written_and_draws_from_its_range(
    low: int, more: int, seed: int
) -> None:
    text = f"{low}-{low + more}"
    span = parse_span(text)
    assert str(span) == text
    assert span.low <= span.draw(seeded_random(seed)) <= span.high


def test_a_default_passes_the_parser_unchanged() -> None:
    assert parse_span(Span(30, 60)) == Span(30, 60)


def test_a_span_divided_by_a_speed_is_as_many_times_shorter() -> None:
    assert Span(30, 60) / 20 == Span(1.5, 3)


def test_sizes_of_groups_are_whole_numbers_from_one() -> None:
    assert parse_sizes("100-200") == Span(100, 200)
    for wrong in ("0-5", "1.5-3", "x", "200-100"):
        with pytest.raises(typer.BadParameter, match=wrong):
            parse_sizes(wrong)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://cafe.example/api/v1/client/docs", "https://cafe.example/api/v1/client"),
    ],
)
def test_a_url_may_be_pasted_as_serve_prints_it(text: str, url: str) -> None:
    assert parse_full_url(text) == url


@pytest.mark.parametrize("text", ["", "127.0.0.1:8080", "ftp://cafe", "http://", "http://a:port"])
def test_a_wrong_url_is_one_sentence(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not an address like http"):
        parse_full_url(text)


def test_a_local_address_is_an_ip_address() -> None:
    assert parse_address("127.0.0.5") == "127.0.0.5"
    with pytest.raises(typer.BadParameter, match=r"localhost is not an IP address"):
        parse_address("localhost")


def test_the_same_seed_and_name_draw_the_same_numbers() -> None:
    drawn = [seeded_random(7, "barista-1").random() for _ in range(2)]
    assert drawn[0] == drawn[1] != seeded_random(7, "barista-2").random()
    assert seeded_random(None).random() != seeded_random(None).random()
