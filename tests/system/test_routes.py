"""What holds for every route of both apps: prefixes, slashes, methods, problems, request ids."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.system.api import LATER, brew, order, problem
from tests.system.raw_client import Client
from tests.system.shop import Shop

JSON = {"Content-Type": "application/json"}
CLIENT, WORKER = "/api/v1/client", "/api/v1/worker"
SHORT = "/api/v1"
APPS = {"client": CLIENT, "worker": WORKER}
PREFIXES = {"client": ("", CLIENT, SHORT), "worker": ("", WORKER)}
PATHS = {
    "client": ["", "/queue", "/livez", "/readyz", "/docs", "/openapi.json"],
    "worker": ["", "/orders", "/actors", "/metrics", "/livez", "/readyz", "/docs", "/openapi.json"],
}
ALLOWED = {
    ("client", "/order/"): "OPTIONS, POST",
    ("client", "/order"): "OPTIONS, POST",
    ("client", "/order/some-id"): "DELETE, GET, HEAD, OPTIONS",
    ("client", "/queue"): "GET, HEAD, OPTIONS",
    ("client", "/livez"): "GET, HEAD, OPTIONS",
    ("worker", "/start/"): "GET, OPTIONS, POST",
    ("worker", "/start"): "GET, OPTIONS, POST",
    ("worker", "/finish/"): "OPTIONS, POST",
    ("worker", "/finish/some-id/"): "OPTIONS, POST",
    ("worker", "/finish/some-id"): "OPTIONS, POST",
    ("worker", "/release"): "OPTIONS, POST",
    ("worker", "/release/some-id/"): "OPTIONS, POST",
    ("worker", "/orders"): "GET, HEAD, OPTIONS",
    ("worker", "/metrics"): "GET, HEAD, OPTIONS",
}


def visitor(shop: Shop, app: str, address: str) -> httpx.AsyncClient:
    """Return a client of one of the apps."""
    return shop.customers(address) if app == "client" else shop.baristas()


@pytest.mark.parametrize("app", APPS)
async def test_every_path_exists_bare_and_under_the_prefix_with_and_without_a_last_slash(
    shop: Shop, address: str, app: str
) -> None:
    async with visitor(shop, app, address) as client:
        for path in PATHS[app]:
            spellings = [
                f"{prefix}{path}{slash}" for prefix in PREFIXES[app] for slash in ("", "/")
            ]
            answers = [await client.get(spelling) for spelling in spellings]
            assert (path, {one.status_code for one in answers}) == (path, {200})
            assert len({one.headers["content-type"] for one in answers}) == 1


@pytest.mark.parametrize("prefix", ["", CLIENT, SHORT])
async def test_a_path_with_an_order_in_it_has_a_slash_or_none_and_one_name(
    shop: Shop, address: str, prefix: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for slash in ("", "/"):
            order_id = (await order(customer))["order_id"]
            looked = await customer.get(f"{prefix}/order/{order_id}{slash}")
            assert looked.json()["order_id"] == order_id
            for deed in ("release", "finish"):
                await barista.get("/start")
                path = f"{prefix and WORKER}/{deed}/{order_id}{slash}"
                assert (await barista.post(path)).status_code == 200
            cancelled = await customer.delete(f"{prefix}/order/{order_id}{slash}")
            assert cancelled.status_code == 409
    await shop.settle()
    lines = shop.log.lines("request", address=address)
    assert {line["route"] for line in lines} == {"/order", "/order/{order_id}"}
    finished = shop.log.lines("request", app="worker", method="POST", status=200)
    assert "/finish/{order_id}" in {line["route"] for line in finished}
    assert not any(line["route"].endswith("/") for line in finished)


@pytest.mark.parametrize("prefix", ["", CLIENT, SHORT])
async def test_a_missing_slash_is_accepted_and_never_redirected(
    shop: Shop, address: str, prefix: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for path in ("/order", "/order/"):
            placed = await customer.post(f"{prefix}{path}", headers=LATER)
            assert placed.status_code == 202
            assert placed.headers["location"].startswith(f"{prefix}/order/")
        prefix = prefix and WORKER
        for slash in ("", "/"):
            claim = await barista.get(f"{prefix}/start{slash}")
            body = {"order_id": claim.json()["order_id"]}
            for deed in ("release", "start", "finish"):
                answer = await barista.post(f"{prefix}/{deed}{slash}", json=body)
                assert (deed, answer.status_code) == (deed, 200)


@pytest.mark.parametrize("app", APPS)
async def test_an_unknown_path_is_a_problem(shop: Shop, address: str, app: str) -> None:
    async with visitor(shop, app, address) as client:
        wrong = [
            "/nothing",
            "/orderly",
            "/api/",
            f"{APPS[app]}/nothing",
            f"{APPS[app]}x/queue",
        ]
        other = WORKER if app == "client" else CLIENT
        for path in [
            *wrong,
            f"{other}/livez",
            f"{other}/docs",
            f"{APPS[app]}{APPS[app]}/livez",
            "/order/a/b",
            "/%2e%2e/etc",
            "/order%00",
            "/livez%0a",
        ]:
            assert problem(await client.get(path), 404)["title"] == "Not Found"


@pytest.mark.parametrize(("app", "path"), ALLOWED)
async def test_a_wrong_method_gets_the_allowed_ones(
    shop: Shop, address: str, app: str, path: str
) -> None:
    async with visitor(shop, app, address) as client:
        for prefix in PREFIXES[app]:
            for method in ("PUT", "PATCH", "TRACE"):
                response = await client.request(method, prefix + path)
                problem(response, 405)
                assert response.headers["allow"] == ALLOWED[app, path]
            asked = await client.options(prefix + path)
            assert (asked.status_code, asked.content) == (204, b"")
            assert asked.headers["allow"] == ALLOWED[app, path]


@pytest.mark.parametrize("app", APPS)
async def test_options_of_the_root_returns_all_methods_of_the_app(
    shop: Shop, address: str, app: str
) -> None:
    every = {
        "client": "DELETE, GET, HEAD, OPTIONS, PATCH, POST",
        "worker": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
    }
    async with visitor(shop, app, address) as client:
        for path in ("/", APPS[app], f"{APPS[app]}/"):
            asked = await client.options(path)
            assert (asked.status_code, asked.headers["allow"]) == (204, every[app])
        problem(await client.options("/nothing"), 404)
    async with await shop.connect(url=shop.client if app == "client" else shop.worker) as stream:
        answer = await Client(stream).ask(b"OPTIONS * HTTP/1.1\r\nHost: cafe\r\n\r\n")
        assert (answer.status, answer.headers[b"allow"]) == (204, every[app].encode())


async def test_docs_and_openapi_are_those_of_the_prefix_that_was_used(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer:
        for prefix in PREFIXES["client"]:
            page = (await customer.get(f"{prefix}/docs")).text
            assert f"'{prefix}/openapi.json'" in page
        schema = (await customer.get("/openapi.json")).json()
    assert [server["url"] for server in schema["servers"]] == [CLIENT, SHORT, "/"]


UNKEPT = [
    # app, method, path, status
    *[("client", "GET", path, 200) for path in ("/queue", "/livez", "/readyz")],
    *[("worker", "GET", path, 200) for path in ("/orders", "/actors", "/metrics", "/livez")],
    ("client", "HEAD", "/queue", 200),
    ("client", "GET", "/order/no-such-order", 404),
    ("client", "DELETE", "/order/no-such-order", 404),
    ("client", "PUT", "/queue", 405),
    ("client", "GET", "/nothing", 404),
    ("client", "BREW", "/queue", 501),
    ("worker", "GET", "/start/", 204),
    ("worker", "GET", "/start/?wait=x", 422),
    ("worker", "POST", "/finish/", 422),
    ("worker", "POST", "/finish/no-such-order", 404),
]


@pytest.mark.parametrize(("app", "method", "path", "status"), UNKEPT)
async def test_no_response_may_be_cached(
    shop: Shop, address: str, app: str, method: str, *, path: str, status: int
) -> None:
    async with visitor(shop, app, address) as client:
        response = await client.request(method, path)
        assert response.status_code == status
        assert response.headers.get_list("cache-control") == ["no-store"]


async def test_an_order_and_the_tree_of_actors_may_not_be_cached(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await customer.post("/order/", headers=LATER)
        path = placed.headers["location"]
        answers = [placed, await customer.get(path), await barista.get("/start/")]
        answers.append(await customer.delete(path))
        answers.append(await barista.post(f"/finish{path.removeprefix('/order')}"))
        answers.append(await barista.get("/actors", headers={"Accept": "text/plain"}))
        answers.append(await customer.post("/order/", content=b"{", headers=JSON))
        assert [one.status_code for one in answers] == [202, 200, 200, 409, 200, 200, 400]
        for one in answers:
            assert one.headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize("app", APPS)
async def test_head_has_the_headers_of_get_and_no_body(shop: Shop, address: str, app: str) -> None:
    async with visitor(shop, app, address) as client:
        for path in [*PATHS[app], APPS[app] + PATHS[app][0]]:
            get, head = await client.get(path), await client.head(path)
            assert (path, head.status_code, head.content) == (path, 200, b"")
            names = [sorted(one.headers) for one in (get, head)]
            assert names[0] == names[1]
            kinds = {one.headers["content-type"] for one in (get, head)}
            assert len(kinds) == 1
            if path not in {"/queue", "/actors", "/metrics"}:  # whose values change
                assert get.headers["content-length"] == head.headers["content-length"]


async def test_head_looks_at_an_order_and_claims_none(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer)
        assert (await customer.head(f"/order/{placed['order_id']}")).status_code == 200
        assert (await customer.head("/order/no-such-order")).status_code == 404
        for path in ("/start/", "/start"):
            refused = await barista.head(path)
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, OPTIONS, POST")
        assert [one["status"] for one in await shop.orders()] == ["waiting"]
        await brew(barista)


async def test_an_unknown_method_is_not_implemented(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer:
        problem(await customer.request("BREW", "/order/"), 501)


async def test_a_body_over_64_kib_is_refused(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        json = {"Content-Type": "application/json"}
        for url, client in (("/order/", customer), ("/finish/", barista)):
            response = await client.post(url, content=b" " * 65537, headers=json)
            assert "65536" in problem(response, 413)["detail"]
        just_so = await customer.post("/order/", content=b" " * 65536, headers=json | LATER)
        assert just_so.status_code in {202, 400}
        if just_so.status_code == 202:
            await brew(barista)


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("given", ["a", "req-17", "A.b_c:d-9", "x" * 64])
async def test_a_clients_request_id_that_is_harmless_in_a_log_is_used(
    shop: Shop, address: str, app: str, given: str
) -> None:
    async with visitor(shop, app, address) as client:
        for path in ("/livez", "/nothing"):
            response = await client.get(path, headers={"X-Request-ID": given})
            assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize(
    "given", [None, "", "x" * 65, "two words", 'quo"te', "new\tline", "caf\u00e9"]
)
async def test_any_other_request_gets_a_new_id(
    shop: Shop, address: str, app: str, given: str | None
) -> None:
    headers = [] if given is None else [(b"X-Request-ID", given.encode())]
    async with visitor(shop, app, address) as client:
        made = [(await client.get("/livez", headers=headers)).headers["x-request-id"] for _ in "ab"]
    assert made[0] != made[1]
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in made)


@pytest.mark.parametrize("app", APPS)
async def test_the_docs_need_nothing_from_elsewhere(shop: Shop, address: str, app: str) -> None:
    async with visitor(shop, app, address) as client:
        for prefix in ("", APPS[app]):
            page = (await client.get(f"{prefix}/docs")).text
            links = re.findall(r"""(?:href|src|url)\s*[=:]\s*["']([^"']+)["']""", page)
            assert links
            for link in links:
                assert link.startswith("/")
                assert (await client.get(link)).status_code == 200


@pytest.mark.parametrize("app", APPS)
async def test_an_open_shop_is_live_and_ready(shop: Shop, address: str, app: str) -> None:
    async with visitor(shop, app, address) as client:
        for path in ("/livez", "/readyz"):
            response = await client.get(path)
            assert (response.status_code, response.json()) == (200, {"status": "ok"})
