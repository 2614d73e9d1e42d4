"""What operators see: the log, metrics and actors; and the OpenAPI documents."""

from __future__ import annotations

import json
import signal

import httpx
import pytest

from tests.routes import OURS
from tests.system.api import MEDIA_TYPE, brew, finish, order, park, start
from tests.system.shop import TOKEN, Shop, open_shop
from tests.system.until import until

ADDRESS = "127.0.0.8"
ACTORS = [
    "RateLimiter",
    "MenuKeeper",
    "Accounts",
    "Dispatcher",
    "Couriers",
    "Cashier",
    "Bookings",
    "Mailer",
    "Notifier",
]
"""In the order of their start; a department that is added has one more."""


def barista_of(shop: Shop) -> httpx.AsyncClient:
    """Return a barista with the token."""
    return shop.baristas(headers={"Authorization": f"Bearer {TOKEN}"})


async def test_each_request_but_a_health_check_is_one_line(guarded: Shop) -> None:
    async with guarded.customers(ADDRESS) as customer, barista_of(guarded) as barista:
        for client in (customer, barista):
            for path in ("/livez", "/nothing?of=this", "/api/v1/client/queue", "/order/x"):
                await client.get(path, headers={"X-Request-ID": "watched"})
    # The line is written after the response is sent.
    await until(lambda: len(guarded.log.lines("request", request_id="watched")) == 6)
    lines = guarded.log.lines("request", request_id="watched")
    routes = [(one["app"], one["method"], one["route"], one["status"]) for one in lines]
    assert routes == [
        ("client", "GET", "(none)", 404),
        ("client", "GET", "/queue", 200),
        ("client", "GET", "/order/{order_id}", 404),
        ("worker", "GET", "(none)", 404),
        ("worker", "GET", "(none)", 404),
        ("worker", "GET", "(none)", 404),
    ]
    assert [one.get("path") for one in lines[:3]] == ["/nothing", None, None]
    assert {one["address"] for one in lines[:3]} == {ADDRESS}
    assert all(0 <= one["duration_ms"] < 20_000 for one in lines)
    assert all(one["level"] == "info" and one["timestamp"].endswith("Z") for one in lines)


async def test_all_that_a_shop_writes_is_json_from_its_first_line_to_its_last() -> None:
    with open_shop(lease_second=3) as shop:
        shop.process.send_signal(signal.SIGTERM)
        assert await shop.ended() == 0
        first, *_, last = map(json.loads, shop.log.text.splitlines())
        assert first["detail"].startswith("CAFE_LEASE_SECOND is no setting of the café; did you")
        assert (first["event"], last["event"]) == ("setting", "closed")


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


async def test_every_metric_is_shown(guarded: Shop) -> None:
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


async def test_metrics_follow_an_order(guarded: Shop) -> None:
    async with guarded.customers(ADDRESS) as customer, barista_of(guarded) as barista:
        seen = [await metrics_of(barista)]
        await order(customer)
        seen.append(await metrics_of(barista))
        claim = await start(barista)
        seen.append(await metrics_of(barista))
        await barista.post(f"/finish/{claim['order_id']}")
        seen.append(await metrics_of(barista))
    first = seen[0]
    changes = [{name: one[name] - first[name] for name in first} for one in seen]
    by_status = [[one[status] for status in ("waiting", "preparation", "ready")] for one in changes]
    assert by_status == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert [one["length"] for one in changes] == [0, 1, 0, 0]
    assert [one["waits"] for one in changes] == [one["brewed"] for one in changes] == [0, 0, 0, 1]


async def metrics_of(barista: httpx.AsyncClient) -> dict[str, float]:
    text = (await barista.get("/metrics")).text
    values = dict(line.rsplit(maxsplit=1) for line in text.splitlines() if line[0] != "#")
    names = {status: f'cafe_orders{{status="{status}"}}' for status in ("waiting", "preparation")}
    names |= {"ready": 'cafe_orders{status="ready"}', "length": "cafe_queue_length"}
    names |= {"waits": "cafe_order_wait_seconds_count"}
    names |= {"brewed": "cafe_order_brewing_seconds_count"}
    return {short: float(values[name]) for short, name in names.items()}


async def test_the_actors_are_shown(guarded: Shop) -> None:
    async with barista_of(guarded) as barista, await park(guarded, ADDRESS):
        claim = await start(barista, wait=30)  # the order may not be placed yet
        actors = (await barista.get("/actors")).json()["actors"]
        await finish(barista, claim["order_id"])
    by_name = {one["name"]: one for one in actors}
    assert [name for name in by_name if name in ACTORS] == ACTORS
    members = "name state mailbox_used mailbox_size handled refused crashed restarts busy_seconds"
    for actor in actors:
        assert list(actor) == members.split()
        assert (actor["state"], actor["crashed"], actor["restarts"]) == ("running", 0, 0)
        assert 0 <= actor["mailbox_used"] <= actor["mailbox_size"]


async def test_the_actors_are_drawn_as_a_tree_if_text_is_preferred(guarded: Shop) -> None:
    async with barista_of(guarded) as barista:
        response = await barista.get("/actors", headers={"Accept": "text/plain"})
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        as_json = await barista.get("/actors", headers={"Accept": "text/plain;q=0.5, */*"})
    assert as_json.headers["content-type"] == "application/json"
    assert {one.headers["vary"] for one in (response, as_json)} == {"accept"}
    first, *lines = (line.split(",")[0] for line in response.text.splitlines())
    assert first == "system"
    assert [line[:3] for line in lines] == ["├─ "] * (len(lines) - 1) + ["└─ "]
    drawn = [line[3:] for line in lines]
    ours = [f"{name} running" for name in ACTORS]
    assert [line for line in drawn if line in ours] == ours
    assert response.text.endswith("\n")


PREFIXES = {"client": "/api/v1/client", "worker": "/api/v1/worker"}


@pytest.mark.parametrize("app", PREFIXES)
async def test_openapi_documents_every_status_of_a_route(
    shop: Shop, address: str, app: str
) -> None:
    async with shop.customers(address) if app == "client" else shop.baristas() as client:
        schema = (await client.get("/openapi.json")).json()
    assert schema["servers"][0]["url"] == PREFIXES[app]
    documented = {
        f"{app} {method.upper()} {path.rstrip('/')}"
        for path, item in schema["paths"].items()
        for method in item
    }
    named = ("/", "/compat", "/screens/{name}", "/board", "/courier", "/barista", "/manager")
    pages = {f"{app} GET {path}" for path in named}
    assert documented == {route for route in OURS if route.startswith(app)} - pages
    for item in schema["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            always = {"414", "422", "500"}
            if "health" not in operation["tags"]:
                always |= {"429"}
            if "security" in operation:
                always |= {"401", "403"}
            assert always <= operation["responses"].keys()
            for status, response in operation["responses"].items():
                if status >= "400":
                    reference = {"$ref": "#/components/schemas/ProblemOut"}
                    assert response["content"][MEDIA_TYPE]["schema"] == reference


@pytest.mark.parametrize("app", PREFIXES)
async def test_every_body_in_openapi_has_an_example(shop: Shop, address: str, app: str) -> None:
    async with shop.customers(address) if app == "client" else shop.baristas() as client:
        schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    bare = {
        name
        for name, schema in schemas.items()
        if schema["type"] == "object" and not schema.get("examples")
    }
    assert bare == set()
