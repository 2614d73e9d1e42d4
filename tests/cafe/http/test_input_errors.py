"""What a 422 tells of a request that is refused: places and reasons, and nothing that was sent."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
from fastapi import APIRouter
from pydantic import BaseModel, Field
from pydantic_core._pydantic_core import list_all_errors
from starlette.responses import Response

from cafe.http.app import ECHOING, MOST_ERRORS, create_app
from cafe.http.schema import Schema
from tests.cafe.http.layers import with_outer_layer

SECRET = "the-recipe"


class Sack(Schema):
    grams: int


class Hot(BaseModel):
    kind: Literal["hot"]


class Cold(BaseModel):
    kind: Literal["cold"]


class Cup(BaseModel):
    id: UUID = UUID(int=1)
    drink: Annotated[Hot | Cold, Field(discriminator="kind")]


async def store(sack: Sack) -> Response:
    raise AssertionError(sack)


async def fill(cup: Cup) -> Response:
    raise AssertionError(cup)


async def refusal_of(path: str, members: dict[str, object]) -> tuple[str, Any]:
    """Return the body of the 422 for these members, as text and as JSON."""
    router = APIRouter()
    router.post("/sack")(store)
    router.post("/cup")(fill)
    app = create_app([router], title="t", description="d", version="1", prefix="/api")
    transport = httpx.ASGITransport(with_outer_layer(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as client:
        response = await client.post(path, json=members)
    assert response.status_code == 422
    return response.text, response.json()


async def test_an_unknown_member_is_shown_in_part_and_a_refused_value_not_at_all() -> None:
    name = "\x1b[2J" + "m" * 100 + SECRET
    text, problem = await refusal_of("/sack", {"grams": SECRET, name: SECRET, "half\n": SECRET})
    assert SECRET not in text
    places = [error["loc"] for error in problem["errors"]]
    assert places == [["body", "grams"], ["body", "?[2J" + "m" * 60 + "..."], ["body", "half?"]]


async def test_a_422_lists_some_errors_and_counts_the_others() -> None:
    unknown = {f"m{number}": 1 for number in range(1_000)}
    _, problem = await refusal_of("/sack", {"grams": 1, **unknown})
    assert len(problem["errors"]) == MOST_ERRORS
    assert problem["detail"].endswith(f"; and {1_000 - MOST_ERRORS} more")


CONSTANTS = re.compile(
    "actual_length|attribute|class|class_name|decimal_places|discriminator|encoding|expected"
    "|expected_plural|expected_schemes|expected_tags|expected_version|field_type|ge|gt|le|lt"
    "|max_digits|max_length|min_length|multiple_of|pattern|tz_expected|whole_digits"
)
"""What the messages of pydantic's errors tell of a schema, and of a length."""
FIXED = re.compile(
    "date_parsing|date_from_datetime_parsing|datetime_from_date_parsing|datetime_object_invalid"
    "|datetime_parsing|json_invalid|time_delta_parsing|time_parsing|url_parsing"
    "|url_syntax_violation|value_error|assertion_error|timezone_offset"
)
"""Errors whose messages are fixed sentences of a parser, or of ours, or an offset."""
OBJECTS = re.compile(
    "bytes_invalid_encoding|get_attribute_error|iteration_error|mapping_type|needs_python_object"
)
"""Errors of values that are never made of JSON."""


def test_no_message_of_pydantics_quotes_what_was_sent() -> None:
    quoting = {
        one["type"]
        for one in list_all_errors()
        if not all(
            CONSTANTS.fullmatch(name)
            for name in re.findall(r"\{(\w+)\}", one["message_template_python"])
        )
    }
    quoting = {one for one in quoting if not (FIXED.fullmatch(one) or OBJECTS.fullmatch(one))}
    assert quoting == ECHOING


async def test_a_tag_and_an_id_are_not_quoted() -> None:
    members: dict[str, object] = {"id": f"{SECRET}!", "drink": {"kind": SECRET}}
    _, problem = await refusal_of("/cup", members)
    messages = [error["message"] for error in problem["errors"]]
    assert messages == ["This is none of the values that are allowed here"] * 2
