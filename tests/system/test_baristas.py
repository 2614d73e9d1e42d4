"""The baristas' routes: start, finish, release, the list; and claims whose barista disappears."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trio

from tests.system.api import brew, finish, look, order, park, problem, start
from tests.system.raw_client import request
from tests.system.shop import Line, Shop, open_shop
from tests.system.until import until_asked


async def test_starting_claims_the_oldest_order(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = [await order(customer, name=f"customer {n}") for n in range(3)]
        claims = [
            (await barista.request(method, "/start", params={"barista": "Bo"})).json()
            for method in ("GET", "POST", "GET")
        ]
        assert [one["order_id"] for one in claims] == [one["order_id"] for one in placed]
        assert [one["waiting"] for one in claims] == [2, 1, 0]
        members = "order_id number drink name placed_at waited_seconds barista lease_expires_at"
        assert list(claims[0]) == [*members.split(), "waiting", "items"]
        assert claims[0]["name"] == "customer 0"
        assert claims[0]["barista"] == "Bo"
        assert claims[0]["placed_at"] == placed[0]["placed_at"]
        assert claims[0]["lease_expires_at"] > claims[0]["placed_at"]
        for claim in claims:
            await finish(barista, claim["order_id"])


async def test_a_claim_is_never_cached(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        nothing = await barista.get("/start/")
        assert (nothing.status_code, nothing.content) == (204, b"")
        await order(customer)
        claim = await barista.get("/start/")
        await finish(barista, claim.json()["order_id"])
    assert [one.headers["cache-control"] for one in (nothing, claim)] == ["no-store"] * 2


async def test_a_barista_may_wait_for_the_next_order(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        began = trio.current_time()
        assert (await barista.get("/start/?wait=0.2")).status_code == 204
        assert trio.current_time() - began >= 0.2
        async with (
            trio.open_nursery() as brewing
        ):  # their finish may return after the customer has the coffee
            for _ in range(2):
                brewing.start_soon(brew_when_there_is_one, barista)
            await until_asked(lambda: baristas_are(customer, 2))
            for placed in [await order(customer) for _ in range(2)]:
                url = f"/order/{placed['order_id']}"
                answer = await customer.get(url, headers={"Prefer": "wait=20"})
                assert answer.json()["status"] == "ready"


async def brew_when_there_is_one(barista: httpx.AsyncClient) -> None:
    await finish(barista, (await start(barista, wait=20))["order_id"])


async def baristas_are(customer: httpx.AsyncClient, number: int) -> bool:
    baristas: int = (await customer.get("/queue")).json()["baristas"]
    return baristas == number


async def test_a_barista_who_hangs_up_while_waiting_claims_no_order(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        # A barista who has just finished counts as one, so two have to wait.
        before = (await customer.get("/queue")).json()["baristas"]
        async with (
            await shop.connect(url=shop.worker) as gone,
            await shop.connect(url=shop.worker) as gone_too,
        ):
            for stream in (gone, gone_too):
                await stream.send_all(b"GET /start/?wait=60 HTTP/1.1\r\nHost: cafe\r\n\r\n")
            await until_asked(lambda: baristas_are(customer, 2))
        await until_asked(lambda: baristas_are(customer, before))
        placed = await order(customer)
        assert placed["status"] == "waiting"
        assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_no_two_baristas_get_the_same_order(shop: Shop, address: str) -> None:
    claims: list[Line] = []

    async def work() -> None:
        async with shop.baristas() as barista:
            while (response := await barista.get("/start/")).status_code == 200:
                claims.append(response.json())
                await finish(barista, response.json()["order_id"])

    async with shop.customers(address) as customer:
        placed = [(await order(customer))["order_id"] for _ in range(60)]
    async with trio.open_nursery() as nursery:
        for _ in range(12):
            nursery.start_soon(work)
    assert sorted(one["order_id"] for one in claims) == sorted(placed)


WRONG_QUERIES = ["wait=-1", "wait=60.5", "wait=soon", "wait=nan", "barista=", "barista=" + "x" * 81]


@pytest.mark.parametrize("query", WRONG_QUERIES)
async def test_a_wrong_query_starts_nothing(shop: Shop, query: str) -> None:
    async with shop.baristas() as barista:
        for method in ("GET", "POST"):
            response = await barista.request(method, f"/start/?{query}")
            assert query.split("=", maxsplit=1)[0] in problem(response, 422)["detail"]


NAMED = {
    "in the body": ("", True),
    "in the body, no slash": ("", True),
    "in the query": ("?order_id={}", False),
    "in the path": ("{}/", False),
    "in the path, no slash": ("{}", False),
    "twice the same": ("?order_id={}", True),
}


@pytest.mark.parametrize("way", NAMED)
async def test_an_order_may_be_named_in_many_ways(shop: Shop, address: str, way: str) -> None:
    rest, in_body = NAMED[way]
    async with shop.customers(address) as customer, shop.baristas() as barista:
        order_id = (await order(customer))["order_id"]
        body = {"order_id": order_id} if in_body else None
        for prefix in ("", "/api/v1/worker"):
            for deed, status in (("release", "waiting"), ("finish", "ready")):
                await barista.get("/start/")
                url = f"{prefix}/{deed}/{rest.format(order_id)}"
                if way == "in the body, no slash":
                    url = url.rstrip("/")
                response = await barista.post(url, json=body)
                assert response.status_code == 200, (url, response.text)
                assert response.json()["order_id"] == order_id
                assert response.json()["status"] == status
            order_id = (await order(customer))["order_id"]
            body = {"order_id": order_id} if in_body else None
        await brew(barista)


NAMELESS: dict[str, tuple[str, object]] = {
    "nothing": ("", None),
    "an empty body": ("", {}),
    "an unknown member": ("", {"id": "x"}),
    "an empty id": ("", {"order_id": ""}),
    "a number": ("", {"order_id": 17}),
    "a long id": ("?order_id=" + "x" * 65, None),
    "two orders": ("?order_id=one", {"order_id": "two"}),
}


@pytest.mark.parametrize("deed", ["finish", "release"])
@pytest.mark.parametrize(("rest", "body"), NAMELESS.values(), ids=NAMELESS)
async def test_naming_no_order_or_two_is_an_error(
    shop: Shop, deed: str, rest: str, body: object
) -> None:
    async with shop.baristas() as barista:
        problem(await barista.post(f"/{deed}/{rest}", json=body), 422)


async def test_finishing_twice_gives_the_same_answer(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        await order(customer)
        finished = await brew(barista)
        assert list(finished) == ["order_id", "number", "status", "brewed_seconds", "collected"]
        assert (finished["status"], finished["collected"]) == ("ready", True)
        assert await finish(barista, finished["order_id"]) == finished


async def test_an_order_that_was_not_started_cannot_be_finished_or_released(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        order_id = (await order(customer))["order_id"]
        for deed in ("finish", "release"):
            problem(await barista.post(f"/{deed}/no-such-order"), 404)
            assert problem(await barista.post(f"/{deed}/{order_id}"), 409)["order_status"] == (
                "waiting"
            )
        await customer.delete(f"/order/{order_id}")
        for deed in ("finish", "release"):
            answer = problem(await barista.post(f"/{deed}/{order_id}"), 409)
            assert answer["order_status"] == "cancelled"


async def test_a_released_order_returns_to_its_old_place(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = [(await order(customer))["order_id"] for _ in range(3)]
        assert (await start(barista))["order_id"] == placed[0]
        released = (await barista.post(f"/release/{placed[0]}")).json()
        assert (released["order_id"], released["status"]) == (placed[0], "waiting")
        assert (await look(customer, placed[0]))["position"] == 1
        assert (await look(customer, placed[0]))["started_at"] is None
        assert [(await brew(barista))["order_id"] for _ in placed] == placed
        assert problem(await barista.post(f"/release/{placed[0]}"), 409)["order_status"] == "ready"


async def test_the_list_shows_live_orders_oldest_first(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = [(await order(customer, name="Ada"))["order_id"] for _ in range(3)]
        await start(barista)
        listed = await shop.orders()
        assert [one["order_id"] for one in listed] == placed
        assert [one["status"] for one in listed] == ["preparation", "waiting", "waiting"]
        assert [one["position"] for one in listed] == [None, 1, 2]
        looked = await look(customer, placed[1])
        changed: dict[str, object] = {"waited_seconds": 0, "items": []}
        unclaimed = {"barista": None, "lease_expires_at": None, "lapsed": False}
        assert listed[1] | changed == looked | changed | unclaimed
        assert listed[1]["items"] == []
        assert "items" not in looked
        await finish(barista, placed[0])
        for _ in range(2):
            await brew(barista)


SHORT = 0.5
"""Seconds of a lease: longer than a barista here takes to brew."""


@pytest.fixture(scope="module")
def short_leases() -> Generator[Shop]:
    """Yield a shop with short leases."""
    with open_shop(lease_seconds=SHORT) as shop:
        yield shop


async def test_an_order_whose_lease_expired_goes_back_to_its_old_place(
    short_leases: Shop, address: str
) -> None:
    async with short_leases.customers(address) as customer, short_leases.baristas() as barista:
        placed = [(await order(customer))["order_id"] for _ in range(3)]
        claim = await start(barista)
        assert claim["order_id"] == placed[0]
        await short_leases.log.line("order", action="expire", number=claim["number"])
        assert (await look(customer, placed[0]))["position"] == 1
        assert [(await brew(barista))["order_id"] for _ in placed] == placed


async def test_a_waiting_barista_gets_an_order_whose_lease_expired(
    short_leases: Shop, address: str
) -> None:
    async with short_leases.customers(address) as customer, short_leases.baristas() as barista:
        placed = await order(customer)
        await start(barista)
        again = await start(barista, wait=20)
        assert again["order_id"] == placed["order_id"]
        await finish(barista, placed["order_id"])


async def test_a_finish_after_the_lease_expired_still_counts(
    short_leases: Shop, address: str
) -> None:
    async with short_leases.baristas() as barista, await park(short_leases, address):
        claim = await start(barista, wait=20)
        await short_leases.log.line("order", action="expire", number=claim["number"])
        finished = await finish(barista, claim["order_id"])
        assert (finished["status"], finished["collected"]) == ("ready", True)
        assert (await barista.get("/start/")).status_code == 204
        await short_leases.log.line("order", action="hand over", number=claim["number"])
        await short_leases.log.line("request", status=200, route="/order", address=address)


async def test_a_late_finish_counts_also_while_another_barista_brews(
    short_leases: Shop, address: str
) -> None:
    async with short_leases.customers(address) as customer, short_leases.baristas() as barista:
        placed = await order(customer)
        await start(barista)
        await start(barista, wait=20)
        first, second = [await finish(barista, placed["order_id"]) for _ in "ab"]
        assert first == second
        assert (await barista.get("/start/")).status_code == 204
    await short_leases.settle()
    actions = [one["action"] for one in short_leases.log.lines("order", number=placed["number"])]
    assert actions == ["place", "start", "expire", "start", "finish"]


async def test_an_order_that_is_finished_in_time_does_not_come_back(
    short_leases: Shop, address: str
) -> None:
    async with short_leases.customers(address) as customer, short_leases.baristas() as barista:
        await order(customer)
        await brew(barista)
        assert (await barista.get("/start/", params={"wait": 2 * SHORT})).status_code == 204


async def test_an_order_without_barista_and_customer_is_cancelled_when_its_lease_expires(
    short_leases: Shop, address: str
) -> None:
    async with short_leases.baristas() as barista:
        async with await park(short_leases, address):
            claim = await start(barista, wait=20)
        cancelled = {"status": "cancelled", "number": claim["number"]}
        await short_leases.log.line("order", action="abandon", **cancelled)
        assert (await barista.get("/start/")).status_code == 204
    await short_leases.settle()
    actions = [one["action"] for one in short_leases.log.lines("order", number=claim["number"])]
    assert actions == ["place", "start", "abandon", "expire", "abandon"]


START = request("GET", "/start/?barista=gone", "X-Request-ID: hangs-up")


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Let no other connection commit during the block."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


async def test_an_order_whose_barista_hangs_up_before_the_answer_is_released_at_once(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = [await order(customer) for _ in range(2)]
        with locked(shop.database):
            async with await shop.connect(url=shop.worker) as leaving:
                await leaving.send_all(START)

                async def is_claimed() -> bool:
                    return await shop.metric('cafe_orders{status="preparation"}') == 1

                await until_asked(is_claimed)
            await shop.log.line("request", request_id="hangs-up", status=499)
        claims = [await start(barista) for _ in placed]
        assert [one["order_id"] for one in claims] == [one["order_id"] for one in placed]
        for claim in claims:
            await finish(barista, claim["order_id"])
    await shop.settle()
    actions = [one["action"] for one in shop.log.lines("order", number=placed[0]["number"])]
    assert actions == ["place", "start", "release", "start", "finish"]
