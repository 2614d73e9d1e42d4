"""The baristas' port: what an address may do there, and what counts against it."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest
from starlette.types import ASGIApp

from cafe.limits.rate_limiter import CountLimits, Limits
from tests.cafe.shop.test_apps import open_apps

TOKEN = "open-sesame-4711"
CUSTOMERS, BARISTA = "192.0.2.1", "192.0.2.2"
UNKNOWN = "never-placed"

pytestmark = pytest.mark.schedules(1)


def caller(
    app: ASGIApp,
    address: str = BARISTA,
    *,
    token: str | None = None,
    url: str = "http://127.0.0.1:8081",
) -> httpx.AsyncClient:
    """Return an HTTP client of the app, which sees it connect from an address."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url=url, headers=headers)


async def test_an_address_over_its_limit_without_a_token_is_refused_and_then_banned() -> None:
    async with (
        open_apps(Limits(requests=1, worker_requests=20, ban_after=5)) as apps,
        caller(apps.worker) as barista,
    ):
        answers = [await barista.get("/start/") for _ in range(26)]
        assert [one.status_code for one in answers] == 20 * [204] + 6 * [429]
        limits = Counter(one.json()["limit"] for one in answers[20:])
        assert limits == {"requests": 5, "banned": 1}
        assert answers[20].headers["ratelimit-policy"] == '"requests";q=20;w=10'
        assert answers[20].headers["content-type"] == "application/problem+json"
        async with caller(apps.worker, CUSTOMERS) as other:
            assert (await other.get("/start/")).status_code == 204
        assert [line["status"] for line in apps.lines][:26] == 20 * [204] + 6 * [429]


async def test_a_flood_of_orders_does_not_limit_baristas_at_its_address_before_it_is_banned() -> (
    None
):
    limits = Limits(requests=10, ban_after=5)
    async with (
        open_apps(limits) as apps,
        caller(apps.client, CUSTOMERS) as customer,
        caller(apps.worker, CUSTOMERS) as barista,
    ):
        for _ in range(limits.requests + limits.ban_after - 1):
            await customer.get("/queue")
            assert (await barista.get("/start/")).status_code == 204
        assert (await customer.get("/queue")).json()["limit"] == "requests"
        # Not each request asks the RateLimiter, but by now one has.
        answers = [(await barista.get("/start/")).status_code for _ in range(20)]
        assert answers[-1] == 429


async def test_a_wrong_token_counts_against_its_address() -> None:
    async with open_apps(Limits(ban_after=5), token=TOKEN) as apps:
        for token in (None, "wrong", TOKEN[:-1], f"{TOKEN}!", ""):
            async with caller(apps.worker, token=token) as stranger:
                assert (await stranger.get("/orders")).status_code == 401
        counts = await apps.limiter.ask(CountLimits())
        assert (counts.refused["credentials"], counts.banned) == (5, 1)


async def test_requests_with_the_token_have_no_limit() -> None:
    async with (
        open_apps(Limits(requests=1, worker_requests=1), token=TOKEN) as apps,
        caller(apps.worker, token=TOKEN) as barista,
    ):
        for path in 20 * ("/start/", "/metrics", "/orders"):
            assert (await barista.get(path)).status_code in {200, 204}
        counts = await apps.limiter.ask(CountLimits())
        assert sum(counts.refused.values()) == counts.addresses == 0


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_an_unknown_order_counts_against_its_address(token: str | None) -> None:
    async with (
        open_apps(Limits(ban_after=6), token=token) as apps,
        caller(apps.worker, token=token) as barista,
    ):
        for deed in ("finish", "release"):
            for url, body in (
                (f"/{deed}/{UNKNOWN}", None),
                (f"/{deed}/?order_id={UNKNOWN}", None),
                (f"/{deed}/", {"order_id": UNKNOWN}),
            ):
                assert (await barista.post(url, json=body)).status_code == 404
        counts = await apps.limiter.ask(CountLimits())
        assert (counts.refused["unknown"], counts.banned) == (6, 1)


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_a_mistake_counts_against_no_address(token: str | None) -> None:
    async with (
        open_apps(token=token) as apps,
        caller(apps.client) as customer,
        caller(apps.worker, token=token) as barista,
    ):
        placed = await customer.post("/order/", headers={"Prefer": "respond-async"})
        order_id = placed.json()["order_id"]
        assert (await barista.post(f"/finish/{order_id}")).status_code == 409
        assert (await barista.post("/finish/")).status_code == 422
        assert (await barista.get("/no/such/path")).status_code == 404
        counts = await apps.limiter.ask(CountLimits())
        assert sum(counts.refused.values()) == 0


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/api/v1/worker/livez"])
async def test_health_needs_no_token_and_is_not_counted(token: str | None, path: str) -> None:
    async with (
        open_apps(Limits(worker_requests=1), token=token) as apps,
        caller(apps.worker) as prober,
    ):
        for _ in range(20):
            assert (await prober.get(path)).status_code == 200
        assert (await apps.limiter.ask(CountLimits())).addresses == 0


PAGES = [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}]
REBOUND = {"Host": "evil.example"}


@pytest.mark.parametrize("headers", [*PAGES, REBOUND])
async def test_a_request_of_another_sites_page_is_refused_and_counts_against_no_address(
    headers: dict[str, str],
) -> None:
    async with (
        open_apps(Limits(worker_requests=3, ban_after=2)) as apps,
        caller(apps.worker) as barista,
    ):
        for _ in range(20):
            for method, path in (("GET", "/start/"), ("POST", "/finish/"), ("GET", "/metrics")):
                refused = await barista.request(method, path, headers=headers)
                assert refused.status_code == 403
                assert refused.headers["content-type"] == "application/problem+json"
                assert refused.json()["title"] == "Forbidden"
        counts = await apps.limiter.ask(CountLimits())
        assert sum(counts.refused.values()) == counts.addresses == 0
        assert (await barista.get("/start/")).status_code == 204


@pytest.mark.parametrize("headers", PAGES)
async def test_with_a_token_pages_are_refused_before_they_count_as_guesses(
    headers: dict[str, str],
) -> None:
    async with (
        open_apps(Limits(ban_after=2), token=TOKEN) as apps,
        caller(apps.worker, token=TOKEN) as barista,
    ):
        for token in (TOKEN, "guess"):  # a page does not learn whether its guess is right
            for _ in range(5):
                bearer = {"Authorization": f"Bearer {token}"}
                refused = await barista.get("/start/", headers=headers | bearer)
                assert refused.status_code == 403
        counts = await apps.limiter.ask(CountLimits())
        assert sum(counts.refused.values()) == 0
        assert (await barista.get("/start/")).status_code == 204


async def test_with_a_token_each_host_name_is_accepted() -> None:
    async with open_apps(token=TOKEN) as apps:
        for token, status in ((TOKEN, 204), ("guess", 401)):
            async with caller(apps.worker, token=token) as barista:
                assert (await barista.get("/start/", headers=REBOUND)).status_code == status


async def test_a_configured_host_name_is_accepted() -> None:
    async with open_apps(hosts=frozenset({"kasse.example"})) as apps:
        for url, status in (("http://kasse.example", 204), ("http://other.example", 403)):
            async with caller(apps.worker, url=url) as barista:
                assert (await barista.get("/start/")).status_code == status


@pytest.mark.parametrize("deed", ["finish", "release"])
async def test_an_order_in_the_path_and_in_the_query_is_refused(deed: str) -> None:
    async with (
        open_apps() as apps,
        caller(apps.client) as customer,
        caller(apps.worker) as barista,
    ):
        await customer.post("/order/", headers={"Prefer": "respond-async"})
        claimed = (await barista.get("/start/")).json()["order_id"]
        for query in (claimed, "another"):
            refused = await barista.post(f"/{deed}/{claimed}/?order_id={query}")
            assert refused.status_code == 422
        (still,) = (await barista.get("/orders")).json()["orders"]
        assert (still["order_id"], still["status"]) == (claimed, "preparation")
