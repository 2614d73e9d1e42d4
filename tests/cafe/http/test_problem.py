"""Problem bodies of RFC 9457."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cafe.http.problem import (
    MEDIA_TYPE,
    instance_of,
    phrase,
    problem_body,
    problem_response,
    refusal_response,
    request_id_of,
)
from cafe.http.refusals import CafeRefusal


class Closed(CafeRefusal):
    status = 503
    members = ("reason",)
    reason = "closing"


def test_a_body_has_the_five_members_and_those_given() -> None:
    body = json.loads(problem_body(404, instance="urn:request:1", order_status="ready"))
    assert body == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Not Found",
        "instance": "urn:request:1",
        "order_status": "ready",
    }


def test_title_and_detail_may_be_given_and_are_utf_8() -> None:
    body = problem_body(400, title="No", detail="Ça non")
    assert "Ça non".encode() in body
    assert json.loads(body)["title"] == "No"


def test_an_unknown_status_has_a_phrase() -> None:
    assert (phrase(429), phrase(599)) == ("Too Many Requests", "Unknown status")


def test_a_response_names_the_request_and_has_the_headers_given() -> None:
    scope = {"state": {"request_id": "r1"}}
    response = problem_response(scope, 405, headers=[(b"allow", b"GET")])
    assert json.loads(bytes(response.body))["instance"] == "urn:request:r1"
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("scope", [{}, {"state": {}}])
def test_a_request_without_an_id_gets_one_and_keeps_it(scope: dict[str, Any]) -> None:
    request_id = request_id_of(scope)
    assert len(request_id) == 16
    assert instance_of(scope) == f"urn:request:{request_id}" == instance_of(scope)
    assert request_id_of({}) != request_id


@pytest.mark.parametrize(
    ("seconds", "retry_after"), [(None, None), (0.0, "1"), (0.2, "1"), (5.0, "5"), (5.1, "6")]
)
def test_retry_after_is_rounded_up_to_whole_seconds(
    seconds: float | None, retry_after: str | None
) -> None:
    refusal = Closed("The shop is closing.")
    refusal.retry_after = seconds
    response = refusal_response({}, refusal)
    assert response.status_code == 503
    assert response.headers.get("retry-after") == retry_after
    assert json.loads(bytes(response.body))["reason"] == "closing"
