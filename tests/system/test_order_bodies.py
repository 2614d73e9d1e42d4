"""What the body of an order may have in it, and the errors that any other body gets."""

from __future__ import annotations

import pytest

from tests.system.api import LATER, finish, problem, start
from tests.system.shop import Shop


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
    "a member that is no text": (rb'{"\ud800":2}', 422, "string"),
    "a name that is no text": (rb'{"name":"\ud800"}', 422, "name"),
    "an empty name": (b'{"name":""}', 422, "name"),
    "a long name": (b'{"name":"%s"}' % (b"x" * 81), 422, "name"),
    "a number for a name": (b'{"name":7}', 422, "name"),
    "a list": (b"[]", 422, "body"),
    "half of JSON": (b'{"drink":', 400, "JSON"),
    "no JSON": (b"coffee, please", 400, "JSON"),
    "no UTF-8": (b'{"name":"\xff"}', 400, ""),
    "a number too long": (b'{"name":%s}' % (b"1" * 5000), 400, ""),
    "too deep": (b"[" * 60_000, 400, ""),
}


@pytest.mark.parametrize(("content", "status", "said"), BAD_BODIES.values(), ids=BAD_BODIES)
async def test_an_invalid_body_gets_its_errors(
    shop: Shop, address: str, content: bytes, status: int, said: str
) -> None:
    async with shop.customers(address) as customer:
        headers = {"Content-Type": "application/json"}
        response = await customer.post("/order/", headers=headers, content=content)
        assert said in problem(response, status)["detail"]
