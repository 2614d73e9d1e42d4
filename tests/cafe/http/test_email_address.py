"""Which e-mail addresses are taken, and in which forms."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from cafe.http.email_address import MAX_EMAIL, checked_email


def test_an_address_is_taken_as_it_is_written_and_in_ascii() -> None:
    address = checked_email("Ada@B\u00fccher.example")
    assert address.normalized == "Ada@b\u00fccher.example"
    assert address.ascii_email == "Ada@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "text",
    [
        "",
        7,
        None,
        ["ada@cafe.example"],
        "ada",
        "Ada <ada@cafe.example>",
        "\u00e4da@cafe.example",
        "ada@cafe.example\n",
        "ada\x00@cafe.example",
        "ada@\ud800.example",
        "ada@" + 62 * "a." + 62 * "a." + "example",
    ],
)
def test_what_is_no_address_is_an_error(text: Any) -> None:
    with pytest.raises(PydanticCustomError):
        checked_email(text)


def test_a_text_that_is_longer_than_any_address_is_not_looked_at() -> None:
    with pytest.raises(PydanticCustomError, match="This is not an e-mail address"):
        checked_email("\x00" * (MAX_EMAIL + 1))
