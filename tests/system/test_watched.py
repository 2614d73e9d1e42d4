"""The shop seen from outside: its log, its figures, its actors; and the baristas' door key."""

from __future__ import annotations

from collections.abc import Generator

import httpx
import pytest

from tests.system.api import brew, finish, order, park, problem, start
from tests.system.shop import Shop, open_shop, until

TOKEN = "open-sesame-4711"
ADDRESS = "127.0.0.8"


@pytest.fixture(scope="module")
def guarded() -> Generator[Shop]:
    """Give a shop whose baristas need a token."""
    with open_shop(worker_token=TOKEN) as shop:
        yield shop


def barista_of(shop: Shop) -> httpx.AsyncClient:
    """Give a barista who has the token."""
    return shop.baristas(headers={"Authorization": f"Bearer {TOKEN}"})


ROUTES = ("/start/", "/orders", "/actors", "/metrics", "/docs", "/openapi.json", "/no/such/path")


@pytest.mark.parametrize("prefix", ["", "/api/v1/worker"])
@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer caf\u00e9"],
)
async def test_without_the_token_nothing_is_told(
    guarded: Shop, given: str | None, prefix: str
) -> None:
    headers = [] if given is None else [(b"Authorization", given.encode())]
    async with guarded.baristas() as barista:
        for path in ROUTES:
            response = await barista.get(f"{prefix}{path}", headers=headers)
            problem(response, 401)
            assert response.headers["www-authenticate"] == 'Bearer realm="worker"'
        for path in ("/finish/", "/release/some-id"):
            problem(await barista.post(f"{prefix}{path}", headers=headers), 401)


async def test_the_token_opens_and_health_needs_none(guarded: Shop) -> None:
    async with guarded.baristas() as barista, guarded.customers() as customer:
        for path in ("/livez", "/readyz", "/api/v1/worker/livez"):
            assert (await barista.get(path)).status_code == 200
        for scheme in ("Bearer", "bearer", "BEARER"):
            headers = {"Authorization": f"{scheme} {TOKEN}"}
            assert (await barista.get("/orders", headers=headers)).status_code == 200
        assert (await customer.get("/queue")).status_code == 200


async def test_each_request_is_one_line(guarded: Shop) -> None:
    async with guarded.customers(ADDRESS) as customer, barista_of(guarded) as barista:
        for client in (customer, barista):
            for path in ("/livez", "/nothing?of=this", "/api/v1/client/queue", "/order/x"):
                await client.get(path, headers={"X-Request-ID": "watched"})
    # The line is written after its answer has gone out.
    await until(lambda: len(guarded.log.lines("request", request_id="watched")) == 8)
    lines = guarded.log.lines("request", request_id="watched")
    routes = [(one["app"], one["method"], one["route"], one["status"]) for one in lines]
    assert routes == [
        ("client", "GET", "/livez", 200),
        ("client", "GET", "(none)", 404),
        ("client", "GET", "/queue", 200),
        ("client", "GET", "/order/{order_id}", 404),
        ("worker", "GET", "/livez", 200),
        ("worker", "GET", "(none)", 404),
        ("worker", "GET", "(none)", 404),
        ("worker", "GET", "(none)", 404),
    ]
    assert {one["address"] for one in lines[:4]} == {ADDRESS}
    assert all(0 <= one["duration_ms"] < 20_000 for one in lines)
    assert all(one["level"] == "info" and one["timestamp"].endswith("Z") for one in lines)


async def test_each_transition_is_one_line_and_names_stay_out_of_them(guarded: Shop) -> None:
    async with guarded.customers(ADDRESS) as customer, barista_of(guarded) as barista:
        placed = await order(customer, name="Zaphod Beeblebrox")
        await barista.get("/start/", params={"barista": "Bo"})
        await barista.post(f"/release/{placed['order_id']}")
        await brew(barista)
        again = await order(customer, name="Zaphod Beeblebrox")
        await customer.delete(f"/order/{again['order_id']}")
    await guarded.settle()
    lines = guarded.log.lines("order", number=placed["number"])
    assert [(one["action"], one["before"], one["status"]) for one in lines] == [
        ("place", None, "waiting"),
        ("start", "waiting", "preparation"),
        ("release", "preparation", "waiting"),
        ("start", "waiting", "preparation"),
        ("finish", "preparation", "ready"),
    ]
    assert [one["barista"] for one in lines] == [None, "Bo", "Bo", None, None]
    assert {(one["number"], one["address"]) for one in lines} == {(placed["number"], ADDRESS)}
    cancelled = guarded.log.lines("order", number=again["number"])
    assert [one["action"] for one in cancelled] == ["place", "cancel"]
    for secret in (TOKEN, "Zaphod", placed["order_id"]):
        assert secret not in guarded.log.text


FAMILIES = {
    "cafe_kernel_filter": "gauge",
    "cafe_kernel_bans": "gauge",
    "cafe_connections_shed_total": "counter",
    "cafe_orders": "gauge",
    "cafe_queue_length": "gauge",
    "cafe_baristas": "gauge",
    "cafe_order_wait_seconds": "histogram",
    "cafe_order_brewing_seconds": "histogram",
    "cafe_requests_total": "counter",
    "cafe_request_seconds": "histogram",
    "cafe_refusals_total": "counter",
    "cafe_bans_now": "gauge",
    "cafe_bans_total": "counter",
    "cafe_connections_open": "gauge",
    "cafe_connections_refused_total": "counter",
    "cafe_connections_isolated_total": "counter",
    "cafe_connections_malformed_total": "counter",
    **{
        f"cafe_actor_{what}_total": "counter"
        for what in ("handled", "refused", "skipped", "crashed", "restarts")
    },
    "cafe_actor_queued": "gauge",
    "cafe_actor_handling_seconds": "histogram",
}


async def test_the_figures_have_every_family(guarded: Shop) -> None:
    async with barista_of(guarded) as barista:
        response = await barista.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    kinds = dict(
        line.removeprefix("# TYPE ").split()
        for line in response.text.splitlines()
        if line.startswith("# TYPE ")
    )
    assert {name: kinds.get(name) for name in FAMILIES} == FAMILIES
    for limit in ("requests", "waiting", "banned", "connections"):
        assert f'cafe_refusals_total{{limit="{limit}"}}' in response.text
    for actor in ("Dispatcher", "RateLimiter"):
        assert f'cafe_actor_handled_total{{actor="{actor}"}}' in response.text


async def test_the_figures_follow_an_order(guarded: Shop) -> None:
    async with guarded.customers(ADDRESS) as customer, barista_of(guarded) as barista:
        seen = [await figures(barista)]
        await order(customer)
        seen.append(await figures(barista))
        claim = await start(barista)
        seen.append(await figures(barista))
        await barista.post(f"/finish/{claim['order_id']}")
        seen.append(await figures(barista))
    first = seen[0]
    changes = [{name: one[name] - first[name] for name in first} for one in seen]
    by_status = [[one[status] for status in ("waiting", "preparation", "ready")] for one in changes]
    assert by_status == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert [one["length"] for one in changes] == [0, 1, 0, 0]
    assert [one["waits"] for one in changes] == [one["brewed"] for one in changes] == [0, 0, 0, 1]


async def figures(barista: httpx.AsyncClient) -> dict[str, float]:
    text = (await barista.get("/metrics")).text
    values = dict(line.rsplit(maxsplit=1) for line in text.splitlines() if line[0] != "#")
    names = {status: f'cafe_orders{{status="{status}"}}' for status in ("waiting", "preparation")}
    names |= {"ready": 'cafe_orders{status="ready"}', "length": "cafe_queue_length"}
    names |= {"waits": "cafe_order_wait_seconds_count"}
    names |= {"brewed": "cafe_order_brewing_seconds_count"}
    return {short: float(values[name]) for short, name in names.items()}


async def test_the_actors_are_shown(guarded: Shop) -> None:
    async with barista_of(guarded) as barista, await park(guarded, ADDRESS):
        claim = await start(barista, wait=30)  # the order may still be on its way
        actors = (await barista.get("/actors")).json()["actors"]
        await finish(barista, claim["order_id"])
    by_name = {one["name"]: one for one in actors}
    assert list(by_name) == ["RateLimiter", "Dispatcher"]
    members = "name state mailbox_used mailbox_size handled refused crashed restarts busy_seconds"
    for actor in actors:
        assert list(actor) == members.split()
        assert (actor["state"], actor["crashed"], actor["restarts"]) == ("running", 0, 0)
        assert 0 <= actor["mailbox_used"] <= actor["mailbox_size"]


async def test_the_actors_are_drawn_for_whoever_prefers_text(guarded: Shop) -> None:
    async with barista_of(guarded) as barista:
        response = await barista.get("/actors", headers={"Accept": "text/plain"})
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        as_json = await barista.get("/actors", headers={"Accept": "text/plain;q=0.5, */*"})
    assert as_json.headers["content-type"] == "application/json"
    assert {one.headers["vary"] for one in (response, as_json)} == {"accept"}
    lines = [line.split(",")[0] for line in response.text.splitlines()]
    assert lines == [
        "system",
        "├─ RateLimiter running",
        "└─ Dispatcher running",
    ]
    assert response.text.endswith("\n")
