"""Which of two media types an Accept field prefers."""

from __future__ import annotations

import pytest

from cafe.http.reply import prefers, quality

JSON, TEXT = "application/json", "text/plain"


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain",
        "Text/Plain",
        "text/plain; charset=utf-8",
        "text/*",
        "text/plain, application/json;q=0.9",
        "application/json ; q=0.5 ,text/plain",
        "text/plain, */*;q=0.1",
        "application/*;q=0.1, */*;q=0.2",
        "text/plain, application/json;q=0",
        "text/plain;q=0.001",
        "text/plain, application/json;q=2",
    ],
)
def test_text_is_preferred(accept: str) -> None:
    assert prefers(accept, TEXT, over=JSON)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/plain, application/json",
        "text/plain;q=0.5, application/json",
        "text/plain;q=0, */*",
        "text/*, text/plain;q=0",
        "image/png",
        "text/plain;q=high",
        "text/plain;q=",
        "text/plain;q=1.5",
        ", ;, q=1",
    ],
)
def test_without_a_preference_for_text_the_default_is_chosen(accept: str) -> None:
    assert not prefers(accept, TEXT, over=JSON)


def test_the_most_specific_range_decides_and_its_weight_is_1_by_default() -> None:
    accept = "text/plain;q=0.3, text/*;q=0.7, */*;q=0.1, application/json;indent=2"
    assert [quality(accept, one) for one in (TEXT, "text/html", "image/png", JSON)] == [
        0.3,
        0.7,
        0.1,
        1.0,
    ]
