"""The routes of tips: which message is sent, and what becomes of the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from actors.testing import Probe
from cafe.http.app import create_app
from docs.examples.tips.customer_api import customer_routes
from docs.examples.tips.jar import TipJar
from docs.examples.tips.messages import GiveTip
from docs.examples.tips.refusals import OneTipEach
from docs.examples.tips.staff_api import barista_routes
from docs.examples.tips.tip import Tip
from docs.examples.tips.tips import Tips
from tests.cafe.orders.counter import open_ledger

TIP = {"order_id": "o1", "cents": 50}


@asynccontextmanager
async def visiting(tips: Probe[Tips]) -> AsyncGenerator[httpx.AsyncClient]:
    async with open_ledger() as ledger:
        jar = TipJar(tips, ledger)
        routes = [customer_routes(jar), barista_routes(jar)]
        app = create_app(routes, title="t", description="d", version="1", prefix="/api")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as client:
            yield client


async def test_a_tip_is_one_ask_and_its_answer() -> None:
    tips = Probe(Tips)
    tips.answer(GiveTip, Tip("t1", "o1", 50, 0.0))
    async with visiting(tips) as customer:
        response = await customer.put("/tips/t1", json=TIP)
    assert tips.received == (GiveTip("t1", "o1", 50),)
    assert (response.status_code, response.json()) == (200, {**TIP, "status": "pledged"})


async def test_a_second_tip_is_a_problem() -> None:
    tips = Probe(Tips)
    tips.answer(GiveTip, OneTipEach())
    async with visiting(tips) as customer:
        response = await customer.put("/tips/t1", json=TIP)
    assert (response.status_code, response.json()["detail"][:9]) == (409, "The order")


@pytest.mark.parametrize(
    "tip", [{}, {**TIP, "cents": 0}, {**TIP, "cents": 2.0}, {**TIP, "order_id": "\x00"}]
)
async def test_a_body_that_is_no_tip_does_not_reach_the_actor(tip: dict[str, object]) -> None:
    tips = Probe(Tips)
    async with visiting(tips) as customer:
        response = await customer.put("/tips/t1", json=tip)
    assert response.status_code == 422
    assert tips.received == ()
