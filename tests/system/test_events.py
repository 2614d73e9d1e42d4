"""`GET /events` over real sockets: boards, pages, staff; resumed, killed, dead, closed."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Generator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import trio

from cafe.http.authentication import Role
from cafe.ledger.tables import events
from tests.system.api import LATER, brew, finish, order, problem, start
from tests.system.credentials import credentials
from tests.system.killing import kill
from tests.system.raw_client import request
from tests.system.shop import FREE_PORTS, Line, Shop, open_shop
from tests.system.streaming import Message, following
from tests.system.test_delivery import Town, open_town
from tests.system.until import until, until_asked

pytestmark = pytest.mark.once

PLENTY = 10**6


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    """Yield a shop in which staff that take nothing for a second are cut off."""
    config = tmp_path_factory.mktemp("config") / "worker.toml"
    config.write_text("send_timeout = 1.0\n")
    limits: dict[str, Any] = dict.fromkeys(("limit_requests", "limit_waiting", "ban_after"), PLENTY)
    with open_shop((*FREE_PORTS, "--worker-config", str(config)), **limits) as shop:
        yield shop


@pytest.fixture
async def customer(live: Shop) -> AsyncGenerator[httpx.AsyncClient]:
    async with live.customers() as client:
        yield client


@pytest.fixture
async def staff(live: Shop) -> AsyncGenerator[httpx.AsyncClient]:
    async with live.baristas() as client:
        yield client


def positions(messages: list[Message], event: str = "orders") -> list[int]:
    return [one.position for one in messages if one.event == event]


def are_through(position: int, messages: list[Message]) -> bool:
    return bool(messages) and messages[-1].position >= position


def is_on(number: int, member: str, board: Line) -> bool:
    return number in [one["number"] for one in board[member]]


async def test_the_board_the_page_and_the_staff_see_an_order_until_it_is_collected(
    customer: httpx.AsyncClient, staff: httpx.AsyncClient
) -> None:
    async with following(customer) as board, following(staff) as log:
        assert board.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert board.response.headers["cache-control"] == "no-store"
        assert board.response.headers["x-accel-buffering"] == "no"
        (reset,) = await log.until(bool)
        assert (reset.event, reset.data) == ("reset", {})
        placed = await order(customer, name="<img src=x onerror=alert(1)>")
        async with following(customer, f"?order={placed['order_id']}") as page:
            seen = await page.newest("order", lambda one: one["status"] == "waiting")
            found = (await customer.get(f"/order/{placed['order_id']}")).json()
            assert seen.keys() == found.keys()
            await brew(staff)
            await page.newest("order", lambda one: one["status"] == "ready")
        ready = await board.newest("board", partial(is_on, placed["number"], "ready"))
        assert ready["ready"][0]["name"] == "<img src=x onerror=alert(1)>"
        path = f"/orders/{placed['order_id']}/status"
        await staff.patch(path, json={"status": "delivered"})
        messages = await log.until(lambda all_of: all_of[-1].data.get("action") == "hand over")
        assert [one.data["action"] for one in messages if one.event == "orders"] == [
            *("place", "start", "finish", "hand over")
        ]
        assert positions(messages) == sorted(set(positions(messages)))


async def test_a_customer_who_waited_sees_the_number_called(
    customer: httpx.AsyncClient, staff: httpx.AsyncClient
) -> None:
    async with following(customer) as board, trio.open_nursery() as nursery:
        nursery.start_soon(customer.post, "/order/")
        await until_asked(partial(has_work, staff))
        number = (await brew(staff))["number"]
        await board.newest("board", partial(is_on, number, "ready"))


async def has_work(staff: httpx.AsyncClient) -> bool:
    orders = (await staff.get("/orders")).json()["orders"]
    return len(orders) == 1


async def test_an_unknown_order_is_the_404_of_a_look(
    customer: httpx.AsyncClient, staff: httpx.AsyncClient
) -> None:
    placed = await order(customer)
    for query in ("order=unknown", f"order={placed['order_id']}&order=unknown"):
        refused = problem(await customer.get(f"/events?{query}"), 404)
        assert refused["detail"] == "There is no such order."
    await finish(staff, (await start(staff))["order_id"])


@pytest.mark.parametrize(
    "query",
    [
        "order=",
        "order=" + "a" * 65,
        "order=a%00b",
        "&".join(["order=a"] * 6),
        "order=%ff",
    ],
)
async def test_what_cannot_be_an_order_is_a_422(customer: httpx.AsyncClient, query: str) -> None:
    problem(await customer.get(f"/events?{query}"), 422)


@pytest.mark.parametrize("query", ["of=", "of=nothing", "&".join(["of=orders"] * 9)])
async def test_what_cannot_be_a_department_is_a_422(staff: httpx.AsyncClient, query: str) -> None:
    problem(await staff.get(f"/events?{query}"), 422)


async def test_a_baristas_stream_has_no_department_of_managers(staff: httpx.AsyncClient) -> None:
    problem(await staff.get("/events?of=payments"), 403)
    async with following(staff, "?of=menu&of=delivery", last=0) as log:
        await log.until(bool)
        assert {one.event for one in log.messages} <= {"menu", "delivery"}


async def test_a_head_request_ends(customer: httpx.AsyncClient, staff: httpx.AsyncClient) -> None:
    for client in (customer, staff):
        assert (await client.head("/events")).status_code == 200


async def test_a_stream_is_resumed_behind_any_message_while_orders_run(
    live: Shop, customer: httpx.AsyncClient, staff: httpx.AsyncClient
) -> None:
    seen: list[int] = []
    async with following(staff) as log:
        last = (await log.until(bool))[0].position
    begin = last

    async def run() -> None:
        for _ in range(40):
            await order(customer)
            await brew(staff)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        for _ in range(6):
            async with following(staff, "?of=orders", last=last) as log:
                await log.until(bool)
            seen += positions(log.messages)
            last = log.messages[-1].position
    wanted = positions_in(live.database_url or f"sqlite:///{live.database}", begin)
    async with following(staff, "?of=orders", last=last) as log:
        await log.until(partial(are_through, wanted[-1]))
    assert seen + positions(log.messages) == wanted
    async with following(staff, last=wanted[-1] + 10**6) as log:
        assert [one.event for one in await log.until(bool)] == ["reset"]


def positions_in(url: str, after: int = 0) -> list[int]:
    """Return the positions of the orders' events in a database."""
    engine = sa.create_engine(url)
    query = sa.select(events.c.position).where(events.c.department == "orders")
    with engine.connect() as connection:
        found = connection.execute(
            query.where(events.c.position > after).order_by(events.c.position)
        )
        positions = list(found.scalars())
    engine.dispose()
    return positions


async def test_a_client_that_does_not_read_is_closed(
    live: Shop, customer: httpx.AsyncClient, staff: httpx.AsyncClient
) -> None:
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    await sock.connect((live.worker.split("//")[1].split(":")[0], int(live.worker.split(":")[2])))
    with sock:
        await sock.send(request("GET", "/events", "X-Request-ID: dead"))
        gauge = 'cafe_event_streams{app="worker"}'
        await until_asked(partial(has_value, live, gauge, 1.0))

        async def order_many(number: int) -> None:
            for _ in range(number):
                await order(customer)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(order_many, 50)
        line = await live.log.line("request", request_id="dead")
        assert line["status"] == 200
        await until_asked(partial(has_value, live, gauge, 0.0))
    for _ in range(500):
        await brew(staff)


async def has_value(shop: Shop, name: str, value: float) -> bool:
    return await shop.metric(name) == value


async def test_the_metrics_take_a_stream_for_answered_when_it_begins(
    live: Shop, customer: httpx.AsyncClient
) -> None:
    async with following(customer) as board:
        await board.until(bool)
        await trio.sleep(0.5)
    await live.settle()
    labels = '{app="client",le="0.3",route="/events"}'
    whole = await live.metric('cafe_request_seconds_count{app="client",route="/events"}')
    assert await live.metric(f"cafe_request_seconds_bucket{labels}") == whole
    lines = live.log.lines("request", route="/events", app="client", method="GET")
    assert max(line["duration_ms"] for line in lines) > 400


async def test_a_killed_shop_leaves_no_gap_in_the_stream_of_staff(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cafe.db'}"
    seen: list[Message] = []
    settings: dict[str, Any] = {"database_url": url, "limit_requests": PLENTY}
    with open_shop(exit_code=-9, **settings) as shop:
        async with shop.customers() as customer, shop.baristas() as staff:
            await order(customer)
            async with following(staff, last=0) as log, trio.open_nursery() as nursery:
                nursery.start_soon(order_until_gone, shop)
                await log.until(lambda messages: len(positions(messages)) > 30)
                await kill(shop)
                seen += log.messages
                nursery.cancel_scope.cancel()
    last = seen[-1].position
    with open_shop(**settings) as shop:
        async with (
            shop.customers() as customer,
            shop.baristas() as staff,
            following(customer, last=last) as board,
            following(staff, last=last) as log,
        ):
            await order(customer)
            await brew(staff)
            assert (await board.until(bool))[0].event == "board"
            wanted = positions_in(url)
            seen += await log.until(partial(are_through, wanted[-1]))
    assert positions(seen) == wanted
    assert [one for one in seen if one.event == "reset"] == []


async def order_until_gone(shop: Shop) -> None:
    async with shop.customers() as customer:
        try:
            while True:
                await customer.post("/order/", headers=LATER)
        except httpx.TransportError:
            pass


async def test_streams_end_when_the_shop_closes_and_hold_nothing_up() -> None:
    closing = 3.0
    with open_shop(closing_seconds=closing) as shop:
        async with (
            shop.customers() as customer,
            shop.baristas() as staff,
            following(customer) as board,
            following(staff) as log,
        ):
            await board.until(bool)
            await log.until(bool)
            began = trio.current_time()
            shop.process.terminate()
            await until(lambda: board.has_ended and log.has_ended)
            assert trio.current_time() - began < closing
            assert await shop.ended() == 0
            assert trio.current_time() - began < closing + 1
        assert (await shop.log.line("closing"))["streams_ended"] == 2


async def test_a_basket_is_followed_by_its_account_and_a_courier_is_signalled(live: Shop) -> None:
    async with open_town(live) as town:
        await check_basket(live, town)
        account = (await town.street.get("/auth/me")).json()["user_id"]
        await town.add_courier(account=account)
        async with following(town.street) as stream:
            before = hands(await stream.until(hands))
            published = await town.publish()
            await stream.until(lambda messages: hands(messages) > before)
            assert (await town.street.get("/courier/me/order")).json()
            await town.step(published["order_id"], "cancel")
        async with following(town.customer) as stream:
            assert hands(await stream.until(bool)) == 0


def hands(messages: list[Message]) -> int:
    return len([one for one in messages if one.event == "hand"])


async def check_basket(shop: Shop, town: Town) -> None:
    items = [{"product_id": "latte", "variation_id": "latte-vanilla", "quantity": 1}]
    placed = (await town.customer.post("/orders", json={"items": items})).json()
    query = f"?order={placed['order_id']}"
    async with shop.customers() as stranger, shop.baristas() as staff:
        problem(await stranger.get(f"/events{query}"), 404)
        problem(await town.street.get(f"/events{query}"), 404)
        wrong = {"Authorization": "Bearer wrong"}
        problem(await stranger.get(f"/events{query}", headers=wrong), 401)
        manager = await credentials(shop, Role.MANAGER)
        for stream in (
            following(town.customer, query),
            following(stranger, query, fields=manager),
        ):
            async with stream as page:
                await page.newest("order", lambda one: one["number"] == placed["number"])
        await brew(staff)
