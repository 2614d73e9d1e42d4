"""Bodies, queries and ids: what the busiest routes accept, and which error each mistake gets.

Each row is a request and its response; `tests/cafe/http/test_plain_routes.py` compares how these
routes read a request with how FastAPI does.
"""

from __future__ import annotations

import httpx
import pytest

from tests.system.api import LATER, finish, order, problem, start
from tests.system.shop import Shop

JSON = "application/json"
UNKNOWN = "no-such-order"

FINISHES: list[tuple[str, bytes, str | None, int, list[str]]] = [
    # query, body, content type; status, errors
    ("", b"", None, 422, []),
    ("", b"", JSON, 422, []),
    ("", b"null", JSON, 422, []),
    ("", b"{}", JSON, 422, ["body.order_id: missing"]),
    ("", b"[]", JSON, 422, ["body: model_attributes_type"]),
    ("", b'"x"', JSON, 422, ["body: model_attributes_type"]),
    ("", b"{", JSON, 400, ["body.1: json_invalid"]),
    ("", b'\xef\xbb\xbf{"order_id": "%s"}' % UNKNOWN.encode(), JSON, 400, ["body.0: json_invalid"]),
    ("", b'{"order_id": ""}', JSON, 422, ["body.order_id: string_too_short"]),
    ("", b'{"order_id": "' + b"x" * 65 + b'"}', JSON, 422, ["body.order_id: string_too_long"]),
    ("", b'{"order_id": 7}', JSON, 422, ["body.order_id: string_type"]),
    ("", b'{"order_id": "x", "more": 1}', JSON, 422, ["body.more: extra_forbidden"]),
    ("", b'{"order_id": "\xff"}', JSON, 400, ["body.14: json_invalid"]),
    ("", b'{"order_id": "a", "order_id": "b"}', JSON, 422, ["body: duplicate_member"]),
    ("", b'{"order_id": "%s"}' % UNKNOWN.encode(), "application/problem+json", 404, []),
    ("", b'{"order_id": "x"}', "text/plain", 422, ["body: model_attributes_type"]),
    ("", b'{"order_id": "x"}', None, 422, ["body: model_attributes_type"]),
    (f"?order_id={UNKNOWN}", b"", None, 404, []),
    (f"?order_id={UNKNOWN}&way=long", b"null", JSON, 404, []),
    ("?order_id=x", b'{"order_id": "y"}', JSON, 422, []),
    ("?order_id=", b"", None, 422, ["query.order_id: string_too_short"]),
    (
        f"?order_id={'x' * 65}",
        b"[]",
        JSON,
        422,
        ["query.order_id: string_too_long", "body: model_attributes_type"],
    ),
]

STARTS: list[tuple[str, int, list[str]]] = [
    ("", 204, []),
    ("?way=long", 204, []),
    ("?wait=0&barista=Bo", 204, []),
    ("?wait=0.01", 204, []),
    ("?wait=-1", 422, ["query.wait: greater_than_equal"]),
    ("?wait=61", 422, ["query.wait: less_than_equal"]),
    ("?wait=nan", 422, ["query.wait: less_than_equal"]),
    ("?wait=1_0", 422, ["query.wait: float_parsing"]),
    ("?wait=%2B5", 422, ["query.wait: float_parsing"]),
    ("?wait=%205", 422, ["query.wait: float_parsing"]),
    ("?wait=", 422, ["query.wait: float_parsing"]),
    ("?wait=long&barista=", 422, ["query.wait: float_parsing", "query.barista: string_too_short"]),
    ("?barista=%00", 422, ["query.barista: string_pattern_mismatch"]),
]

ORDERS: list[tuple[bytes, str | None, int, list[str]]] = [
    (b"", None, 202, []),
    (b"null", JSON, 202, []),
    (b"{}", JSON, 202, []),
    (b'{"drink": "americano", "name": "Ada"}', JSON, 202, []),
    (b'{"drink": "tea"}', JSON, 422, ["body.drink: not_on_the_menu"]),
    (b'{"drink": null}', JSON, 422, ["body.drink: string_type"]),
    (b'{"name": ""}', JSON, 422, ["body.name: string_too_short"]),
    (b'{"name": "\\u0000"}', JSON, 422, ["body.name: string_pattern_mismatch"]),
    (b'{"milk": true}', JSON, 422, ["body.milk: extra_forbidden"]),
    (b"[]", JSON, 422, ["body: model_attributes_type"]),
    (b"{}", "text/plain", 422, ["body: model_attributes_type"]),
    (b"{}}", JSON, 400, ["body.2: json_invalid"]),
    (b"[" * 60_000, JSON, 422, ["body: too_deep"]),
    (b" " * 65_536 + b"{}", JSON, 413, []),
]


def check(response: httpx.Response, status: int, wrong: list[str]) -> None:
    """Check that a response has this status, and lists these errors."""
    assert response.status_code == status, response.text
    if status < 400:
        return
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["instance"] == f"urn:request:{response.headers['x-request-id']}"
    errors = [
        f"{'.'.join(map(str, error['loc']))}: {error['type']}"
        for error in problem.get("errors", ())
    ]
    assert errors == wrong


def typed(kind: str | None) -> dict[str, str]:
    return {} if kind is None else {"Content-Type": kind}


@pytest.mark.parametrize(("query", "body", "kind", "status", "wrong"), FINISHES)
async def test_a_finish_of_no_such_order_is_refused(
    shop: Shop, query: str, body: bytes, *, kind: str | None, status: int, wrong: list[str]
) -> None:
    async with shop.baristas() as barista:
        response = await barista.post(f"/finish/{query}", content=body, headers=typed(kind))
        check(response, status, wrong)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("query", "status", "wrong"), STARTS)
async def test_a_start_while_no_order_waits(
    shop: Shop, method: str, query: str, status: int, wrong: list[str]
) -> None:
    async with shop.baristas() as barista:
        response = await barista.request(method, f"/start{query}")
        check(response, status, wrong)
        if status == 204:
            assert response.headers["cache-control"] == "no-store"
            assert "content-length" not in response.headers


@pytest.mark.parametrize(("body", "kind", "status", "wrong"), ORDERS)
async def test_an_order_is_accepted_or_refused_by_its_body(
    shop: Shop, address: str, body: bytes, *, kind: str | None, status: int, wrong: list[str]
) -> None:
    async with shop.customers(address) as customer:
        headers = {**LATER, **typed(kind)}
        response = await customer.post("/order/", content=body, headers=headers)
        check(response, status, wrong)
        if status == 202:
            assert response.headers["preference-applied"] == "respond-async"
            await customer.delete(response.headers["location"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Prefer": "wait=0"}, 202),
        ({"Prefer": "wait=soon, respond-async"}, 202),
        ({**LATER, "Idempotency-Key": "one"}, 202),
        ({**LATER, "Idempotency-Key": "é"}, 400),
        ({**LATER, "Idempotency-Key": ""}, 400),
    ],
)
async def test_an_order_is_accepted_or_refused_by_its_headers(
    shop: Shop, address: str, headers: dict[str, str], status: int
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    async with shop.customers(address) as customer:
        response = await customer.post("/order/?way=long", headers=raw)
        check(response, status, [])
        if status == 202:
            await customer.delete(response.headers["location"])


async def test_an_order_is_started_and_finished_by_each_way_of_naming_it(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for query, content in (("", b'{"order_id": "%s"}'), ("?order_id=%s", b"")):
            order_id = (await order(customer))["order_id"]
            claim = await barista.get("/start/?barista=Bo")
            assert (claim.json()["order_id"], claim.json()["barista"]) == (order_id, "Bo")
            done = await barista.post(
                f"/finish/{query.replace('%s', order_id)}",
                content=content.replace(b"%s", order_id.encode()),
                headers=typed(JSON),
            )
            assert (done.status_code, done.json()["order_id"]) == (200, order_id)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", None),
        (b"{}", None),
        (b"null", None),
        (b'{"drink":"americano"}', None),
        (b'{"name":null}', None),
        ('{"name":"Zoë ☕"}'.encode(), "Zoë ☕"),
        (b'{"name":"%s"}' % (b"x" * 80), "x" * 80),
    ],
)
async def test_everything_in_the_body_is_optional(
    shop: Shop, address: str, content: bytes, name: str | None
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        headers = {**LATER, "Content-Type": "application/json"}
        body = (await customer.post("/order/", headers=headers, content=content)).json()
        assert (body["drink"], body["name"]) == ("americano", name)
        assert (await start(barista))["name"] == name
        await finish(barista, body["order_id"])


BAD_BODIES = {
    "another drink": (b'{"drink":"latte"}', 422, "americano"),
    "an unknown member": (b'{"sugar":2}', 422, "sugar"),
    "a member that is no text": (rb'{"\ud800":2}', 422, "surrogate"),
    "a name that is no text": (rb'{"name":"\ud800"}', 422, "surrogate"),
    "a name with a control character": (rb'{"name":"A\nda"}', 422, "name"),
    "an empty name": (b'{"name":""}', 422, "name"),
    "a long name": (b'{"name":"%s"}' % (b"x" * 81), 422, "name"),
    "a number for a name": (b'{"name":7}', 422, "name"),
    "a list": (b"[]", 422, "body"),
    "half of JSON": (b'{"drink":', 400, "JSON"),
    "no JSON": (b"coffee, please", 400, "JSON"),
    "no UTF-8": (b'{"name":"\xff"}', 400, ""),
    "a number too long": (b'{"name":%s}' % (b"1" * 5000), 422, "digits"),
    "too deep": (b"[" * 60_000, 422, "deep"),
}


@pytest.mark.parametrize(("content", "status", "message"), BAD_BODIES.values(), ids=BAD_BODIES)
async def test_an_invalid_body_gets_its_errors(
    shop: Shop, address: str, content: bytes, status: int, message: str
) -> None:
    async with shop.customers(address) as customer:
        headers = {"Content-Type": "application/json"}
        response = await customer.post("/order/", headers=headers, content=content)
        assert message in problem(response, status)["detail"]


UNSTORABLE = ("%00", "a%00b", "%ff", "%ed%a0%80", "%0a")


@pytest.mark.parametrize("order_id", UNSTORABLE)
async def test_an_order_id_that_cannot_be_stored_is_unknown(
    shop: Shop, address: str, order_id: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for response in (
            await customer.get(f"/order/{order_id}"),
            await customer.delete(f"/order/{order_id}"),
            await barista.post(f"/finish/{order_id}/"),
        ):
            assert response.status_code == 404, response.text
        asked = await barista.post(f"/release/?order_id={order_id}")
        assert asked.status_code == 422, asked.text


async def test_a_name_that_cannot_be_stored_is_a_422(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        response = await customer.post("/order/", json={"name": "A\0da"})
        assert response.status_code == 422
        response = await barista.get("/start/", params={"barista": "B\0"})
        assert response.status_code == 422
