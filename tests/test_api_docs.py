"""What `/docs` shows of every route of both ports, and of the APIs of other systems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
import pytest
import trio

from cafe.http.authentication import Forbidden, Role, Unauthenticated
from cafe.http.problem import MEDIA_TYPE, phrase, refusal_response
from cafe.http.problem_examples import INSTANCE, USUAL, problem_example
from cafe.http.refusals import CafeRefusal
from cafe.ledger.errors import LedgerUnavailable
from cafe.limits.rate_limiter import LimitExceeded
from cafe.orders.order import Status
from cafe.orders.refusals import OrderConflict, UnknownOrder
from cafe.server.config import ServerConfig
from cafe.server.exchange import MAX_BODY, TOO_LARGE, TOO_SLOW
from cafe.server.request import TOO_LONG
from cafe.shop.ports import Access
from tests.cafe.accounts.lobby import open_lobby
from tests.test_roles import House, apis_of, open_apps


class Operation(NamedTuple):
    """What OpenAPI says of one method of one path."""

    name: str
    said: dict[str, Any]


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    """Return what OpenAPI says of all of them."""

    async def read() -> list[Operation]:
        async with open_apps(Access("accounts")) as house:
            return [*operations_of(house)]

    return trio.run(read)


def operations_of(house: House) -> Iterator[Operation]:
    for name, app in house.apps.items():
        for prefix, api in apis_of(app).items():
            for path, methods in api.openapi()["paths"].items():
                for method, said in methods.items():
                    yield Operation(f"{name} {method.upper()} {prefix}{path}", said)


def test_each_error_of_each_route_shows_an_example_of_its_own_status(
    operations: list[Operation],
) -> None:
    for operation in operations:
        for status, response in operation.said["responses"].items():
            if status < "400":
                continue
            example = response["content"][MEDIA_TYPE]["example"]
            assert example["status"] == int(status), operation.name
            assert example["title"] == phrase(int(status)), operation.name
            assert example["detail"] != example["title"], (operation.name, status)
            assert "`" not in example["detail"], (operation.name, status)
            if status == "503":
                assert example["reason"], operation.name
            if status == "429":
                assert example["limit"], operation.name


def test_each_summary_is_a_sentence_and_is_not_repeated(operations: list[Operation]) -> None:
    for operation in operations:
        summary = operation.said["summary"]
        assert summary[0].isupper(), operation.name
        assert summary.endswith("."), operation.name
        assert summary not in operation.said.get("description", ""), operation.name


def test_a_202_shows_an_order_that_waits(operations: list[Operation]) -> None:
    said = {one.name: one.said["responses"] for one in operations}
    for name in ("client POST /order/", "worker POST /deliveries"):
        example = said[name]["202"]["content"]["application/json"]["example"]
        assert example["status"] == "waiting", name


def test_the_example_of_a_refusal_is_what_a_client_gets() -> None:
    scope = {"state": {"request_id": INSTANCE.removeprefix("urn:request:")}}
    window = {"retry_after": 7, "quota": 600, "window_seconds": 10}
    named: list[CafeRefusal] = [OrderConflict(Status.READY, "cancelled"), UnknownOrder()]
    usual: list[CafeRefusal] = [
        Unauthenticated(),
        Forbidden(Role.BARISTA, frozenset({Role.MANAGER})),
        LimitExceeded("requests", **window),
        LedgerUnavailable(),
    ]
    for refusal in named:
        sent = refusal_response(scope, refusal)
        assert problem_example(refusal.status, refusal) == orjson.loads(bytes(sent.body))
    for refusal in usual:
        sent = refusal_response(scope, refusal)
        assert problem_example(refusal.status) == orjson.loads(bytes(sent.body))


def test_the_servers_own_errors_are_shown_as_they_are_sent() -> None:
    assert USUAL[408]["detail"] == TOO_SLOW.format(ServerConfig().body_timeout)
    assert USUAL[413]["detail"] == TOO_LARGE.format(MAX_BODY)
    assert USUAL[414]["detail"] == TOO_LONG


async def test_wrong_input_is_shown_as_it_is_answered() -> None:
    async with open_lobby() as lobby, lobby.visitor() as client:
        for status, content in {400: b'{"email": "a" "b"}', 422: b"{}"}.items():
            headers = {"Content-Type": "application/json"}
            answer = await client.post("/auth/register", content=content, headers=headers)
            body, example = answer.json(), problem_example(status)
            assert answer.status_code == status
            assert body.keys() == example.keys()
            (error,) = example["errors"]
            assert body["errors"][0].keys() == error.keys()
            assert example["detail"] == f"{'.'.join(map(str, error['loc']))}: {error['message']}"
            if status == 400:
                assert body["errors"][0]["message"] == error["message"]
