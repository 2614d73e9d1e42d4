"""Entity tags: which requests have the current body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.http.etags import etag_of, is_current

TAG = etag_of(b"body")


@given(one=st.binary(), other=st.binary())
def test_a_body_has_one_strong_tag_and_another_body_another(one: bytes, other: bytes) -> None:
    assert etag_of(one) == etag_of(bytes(one))
    assert (etag_of(one) == etag_of(other)) == (one == other)
    assert etag_of(one).startswith(b'"')
    assert etag_of(one).endswith(b'"')


CURRENT = {
    "the tag": [TAG],
    "the tag, weak": [b"W/" + TAG],
    "any": [b"*"],
    "any, with space": [b" * "],
    "in a list": [b'"a", ' + TAG + b', "b"'],
    "weak in a list": [b'W/"a",W/' + TAG],
    "in another line": [b'"a"', b'"b", ' + TAG],
    "behind a tag with a comma": [b'"a,b", ' + TAG],
    "with empty elements": [b", ," + TAG + b", "],
}
NOT_CURRENT = {
    "no header": [],
    "an empty one": [b""],
    "another": [b'"a"'],
    "without quotes": [TAG.strip(b'"')],
    "part of another": [b'"' + TAG.strip(b'"') + b'x"'],
    "any among others": [b'*, "a"'],
    "in single quotes": [TAG.replace(b'"', b"'")],
    "half": [TAG[:-1]],
}


@pytest.mark.parametrize("values", CURRENT.values(), ids=CURRENT)
def test_a_client_that_has_the_body_is_told_so(values: list[bytes]) -> None:
    assert is_current(TAG, [(b"host", b"cafe"), *((b"if-none-match", one) for one in values)])


@pytest.mark.parametrize("values", NOT_CURRENT.values(), ids=NOT_CURRENT)
def test_any_other_client_gets_it(values: list[bytes]) -> None:
    assert not is_current(TAG, [(b"if-match", TAG), *((b"if-none-match", one) for one in values)])


@given(value=st.binary(max_size=200))
def test_any_value_is_read(value: bytes) -> None:
    assert is_current(TAG, [(b"if-none-match", value)]) == (TAG in value or value.strip() == b"*")


def test_a_long_value_is_read_in_linear_time() -> None:
    for piece in (b'"', b"W/", b'",', b'W/"a" '):
        assert not is_current(TAG, [(b"if-none-match", piece * 100_000)])
