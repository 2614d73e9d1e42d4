"""How cursors are written and read, and what links to the next page."""

from __future__ import annotations

from base64 import b64encode

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from cafe.http.pages import (
    link_headers,
    read_cursor,
    read_text_cursor,
    written_cursor,
    written_text_cursor,
)


@given(st.integers(1, 2**63))
def test_a_cursor_is_read_as_it_was_written(number: int) -> None:
    cursor = written_cursor(number)
    assert read_cursor(cursor) == number
    assert cursor.isascii()


ALMOST = st.from_regex(r"behind [-+]?[0-9_ ]{0,9}\n?", fullmatch=True)


@given(st.text(max_size=70) | ALMOST.map(lambda text: b64encode(text.encode()).decode()))
def test_a_text_that_was_never_written_is_no_cursor(text: str) -> None:
    try:
        number = read_cursor(text)
    except ValueError:
        return
    assert written_cursor(number) == text


@given(st.text(min_size=1, max_size=40))
def test_a_cursor_of_a_text_is_read_as_it_was_written(text: str) -> None:
    cursor = written_text_cursor(text)
    assert read_text_cursor(cursor, longest=len(cursor)) == text
    with pytest.raises(ValueError, match="no cursor"):
        read_text_cursor(cursor, longest=len(cursor) - 1)


@pytest.mark.parametrize("cursor", ["", "x", "YQ==", "YR", "caf\u00e9", "\udc80", "gA"])
def test_any_other_text_is_no_cursor_of_a_text(cursor: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the codecs' errors are ValueErrors, too
        read_text_cursor(cursor, longest=64)


def request(prefix: str) -> Request:
    return Request({"type": "http", "root_path": prefix})


def test_the_last_page_links_to_none() -> None:
    assert link_headers(request("/api"), "/orders", None, limit=1) == {}


@pytest.mark.parametrize("behind", [17, "ada@example.org"])
def test_a_link_has_the_prefix_and_what_was_asked_for(behind: int | str) -> None:
    cursor = written_text_cursor(behind) if isinstance(behind, str) else written_cursor(behind)
    links = link_headers(request("/api"), "/orders", behind, limit=1, name="a&b", role=None)
    assert links == {"Link": f'</api/orders?limit=1&name=a%26b&cursor={cursor}>; rel="next"'}
