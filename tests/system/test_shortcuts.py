"""The short way and the long way answer alike, in the real shop."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.system.play import LATER, order
from tests.system.shop import Shop

WAYS = {"short": "", "long": "?way=long"}
DIFFERS = frozenset(
    [
        "order_id",
        "number",
        "position",
        "placed_at",
        "waited_seconds",
        "lease_expires_at",
        "brewed_seconds",
        "message",
        "instance",
        "eta_seconds",
        "waiting",
    ]
)


def alike(response: httpx.Response) -> tuple[int, Any, Any]:
    """Give what has to be the same on both ways."""
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in {"date", "x-request-id", "location", "content-length"}
    }
    body: dict[str, Any] = response.json() if response.content else {}
    return response.status_code, headers, {k: v for k, v in body.items() if k not in DIFFERS}


@pytest.mark.parametrize(
    "headers",
    [LATER, {"Prefer": "wait=0"}, {**LATER, "Idempotency-Key": "one"}, {"Idempotency-Key": "é"}],
    ids=["later", "no wait", "key", "bad key"],
)
async def test_an_order(shop: Shop, address: str, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    async with shop.customers(address) as customer:
        answers = [await customer.post(f"/order/{way}", headers=raw) for way in WAYS.values()]
        assert alike(answers[0]) == alike(answers[1])
        for answer in answers:
            if answer.status_code == 202:
                await customer.delete(answer.headers["location"])


async def test_a_start_and_a_finish(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        nothing = [await barista.get(f"/start/{way}") for way in WAYS.values()]
        assert alike(nothing[0]) == alike(nothing[1])
        ids = [(await order(customer))["order_id"] for _ in WAYS]
        claims = [await barista.get(f"/start/{way}") for way in WAYS.values()]
        assert alike(claims[0]) == alike(claims[1])
        done = [
            await barista.post(f"/finish/{way}", json={"order_id": order_id})
            for way, order_id in zip(WAYS.values(), ids, strict=True)
        ]
        assert alike(done[0]) == alike(done[1])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"{",
        b'{"order_id": ""}',
        b'{"order_id": 7}',
        b'{"order_id": "nobody-placed-it"}',
        b'{"order_id": "a", "order_id": "b"}',
        b'{"order_id": "x", "more": 1}',
        b'{"order_id": "' + b"x" * 65 + b'"}',
        b'{"order_id": "\xff"}',
        b'\xef\xbb\xbf{"order_id": "x"}',
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
async def test_a_finish_of_nothing_that_could_be_finished(
    shop: Shop, body: bytes, kind: str | None
) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    async with shop.baristas() as barista:
        answers = [
            await barista.post(f"/finish/{way}", content=body, headers=headers)
            for way in WAYS.values()
        ]
    assert alike(answers[0]) == alike(answers[1])
    assert answers[0].status_code >= 400
