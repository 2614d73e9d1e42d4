"""Strict JSON: read as the standard library reads it, or refused, and never quoted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st

from cafe.http.json_body import parse_json

NEEDLE = "rosebud4711"

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


def refused(raw: bytes) -> tuple[str, str]:
    """Return the type and the message of the error that refuses a body."""
    with pytest.raises(RequestValidationError) as raised:
        parse_json(raw)
    (error,) = raised.value.errors()
    assert NEEDLE not in str(raised.value)
    assert raised.value.body is None
    return error["type"], error["msg"]


@given(value=values, ascii_only=st.booleans())
def test_json_is_read_as_the_standard_library_reads_it(value: Any, *, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert parse_json(raw) == json.loads(raw)


@given(st.lists(texts, min_size=1, unique=True), st.data())
def test_a_member_that_is_there_twice_is_refused_however_deep(
    names: list[str], data: st.DataObject
) -> None:
    twice = [*names, data.draw(st.sampled_from(names))]
    members = ",".join(f"{json.dumps(name)}:0" for name in twice)
    assert refused(f'[{{"a:":[{{{members}}}]}}]'.encode())[0] == "duplicate_member"


@given(st.binary())
def test_no_bytes_are_read_otherwise_than_by_the_standard_library(raw: bytes) -> None:
    try:
        value = parse_json(raw)
    except RequestValidationError:
        return
    assert value == json.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a":%s}' % NEEDLE.encode(),
        b'["%s]' % NEEDLE.encode(),
        b"NaN",
        b'{"%s":NaN}' % NEEDLE.encode(),
        b"[-Infinity]",
        b"\xef\xbb\xbf{}",
        b'"%s\xff"' % NEEDLE.encode(),
        b'"\xed\xa0\x80"',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        b"1_000",
        b"+1",
        b"01",
        b"1.",
        b"{'a':1}",
        b"[1,]",
        b"[]//",
        b'"\x00"',
        b'"\n"',
    ],
)
def test_what_is_no_json_is_invalid(raw: bytes) -> None:
    assert refused(raw)[0] == "json_invalid"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"1e999", "finite_number"),
        (b'{"a":[-1e999]}', "finite_number"),
        (b"9" * 400 + b".0", "finite_number"),
        (b"[%s]" % (b"9" * 5_000), "finite_number"),
        (b'"\\ud800"', "lone_surrogate"),
        (b'{"\\udc00\\ud800":1}', "lone_surrogate"),
        (b'["rosebud4711\\uD83D"]', "lone_surrogate"),
        (b"[" * 5_000 + b"]" * 5_000, "too_deep"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "too_deep"),
        (b"[" * 250 + b"]" * 250, "too_deep"),
        (b"[" * 60_000, "too_deep"),
        (b'{"a":1,"\\u0061":2}', "duplicate_member"),
        (b'{"rosebud4711":":","rosebud4711":""}', "duplicate_member"),
    ],
)
def test_json_that_cannot_be_represented_without_doubt_is_refused(raw: bytes, kind: str) -> None:
    assert refused(raw)[0] == kind


def test_colons_in_texts_are_no_members() -> None:
    raw = b'{"url":"https://a:1","b":{"c:":[{"d":"\\":"}]}}'
    assert parse_json(raw) == json.loads(raw)
    assert parse_json(b'":"') == ":"
