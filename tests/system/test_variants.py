"""One request spelled in many ways: plain routes and FastAPI's answer each of them alike.

Rule: a table has what is sent and what it gets, and each row is sent to each kind of route over a
connection of its own. Why a row is so stands with the module that does it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.system.api import MEDIA_TYPE, order
from tests.system.raw_client import Answer, Client
from tests.system.shop import Line, Shop

PREFIXES = {"client": "/api/v1/client", "worker": "/api/v1/worker"}
LOOKS = {
    # each way in which a request is routed
    "plain": ("client", "/queue"),
    "plain, of baristas": ("worker", "/orders"),
    "plain, with an order in its path": ("client", "/order/{order_id}"),
    "FastAPI's": ("client", "/livez"),
    "FastAPI's, of baristas": ("worker", "/actors"),
    "FastAPI's, not JSON": ("worker", "/metrics"),
    "a page": ("client", "/docs"),
    "Starlette's": ("worker", "/openapi.json"),
}


@dataclass(frozen=True, slots=True)
class Counter:
    """A shop in which one order waits."""

    shop: Shop
    address: str
    order_id: str

    async def ask(
        self, app: str, method: str, target: str, *lines: str, host: str | None = "cafe"
    ) -> Answer:
        """Send a request without a body on a connection of its own."""
        target = target.replace("{order_id}", self.order_id)
        head = [f"{method} {target} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *lines]
        url = self.shop.client if app == "client" else self.shop.worker
        address = self.address if app == "client" else None
        async with await self.shop.connect(address, url) as stream:
            raw = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
            return await Client(stream).ask(raw, method)

    async def live(self) -> list[Line]:
        """Return what a request could change of all live orders."""
        members = ("order_id", "status")
        return [{name: one[name] for name in members} for one in await self.shop.orders()]


@asynccontextmanager
async def open_counter(shop: Shop, address: str) -> AsyncGenerator[Counter]:
    """Place one order; check after the block that it still waits, and cancel it."""
    async with shop.customers(address) as customer:
        placed = await order(customer)
        counter = Counter(shop, address, placed["order_id"])
        before = await counter.live()
        try:
            yield counter
            assert await counter.live() == before
        finally:
            await customer.delete(f"/order/{placed['order_id']}")


def fields_of(answer: Answer) -> set[bytes]:
    """Return the names of an answer's header fields."""
    return set(answer.headers) - {b"connection"}


def is_problem(answer: Answer, status: int) -> bool:
    return answer.status == status and answer.headers[b"content-type"] == MEDIA_TYPE.encode()


every_look = pytest.mark.parametrize(("app", "path"), LOOKS.values(), ids=LOOKS)

OUR_HOSTS = ("cafe", "CAFE:80", "cafe:", "127.0.0.1:8080", "[::1]", "[::1]:8080")
OTHER_HOSTS = ("a_b.c~d", "%63afe")
"""Valid names, which the baristas' port refuses if it has no token."""
NO_HOSTS = ("a b", "x/y", "x:abc", "[::1", "###", "a@b", ":80", "a:65536", "a, b", "[::g]", "é")


@every_look
async def test_a_host_that_is_accepted_in_any_spelling(
    shop: Shop, address: str, app: str, path: str
) -> None:
    async with open_counter(shop, address) as counter:
        for host in (*OUR_HOSTS, *OTHER_HOSTS):
            answers = 403 if app == "worker" and host in OTHER_HOSTS else 200
            answer = await counter.ask(app, "GET", path, host=host)
            assert (host, answer.status) == (host, answers)
            answer = await counter.ask(app, "GET", f"http://{host}{path}")
            assert (host, answer.status) == (host, answers)
        assert (await counter.ask("client", "GET", "/queue", host="")).status == 200


@every_look
async def test_a_host_that_is_malformed_is_refused(
    shop: Shop, address: str, app: str, path: str
) -> None:
    async with open_counter(shop, address) as counter:
        for host in NO_HOSTS:
            assert is_problem(await counter.ask(app, "GET", path, host=host), 400), host
        assert is_problem(await counter.ask(app, "GET", path, "Host: a", host="a"), 400)
        assert is_problem(await counter.ask(app, "GET", path, host=None), 400)
        assert is_problem(await counter.ask(app, "GET", f"http://a:b{path}"), 400)


@every_look
async def test_each_spelling_of_a_path_answers_every_method_alike(
    shop: Shop, address: str, app: str, path: str
) -> None:
    async with open_counter(shop, address) as counter:
        usual = await counter.ask(app, "GET", path)
        assert usual.status == 200
        for spelling in (path, f"{path}/", PREFIXES[app] + path, f"{PREFIXES[app]}{path}/"):
            for method in ("GET", "HEAD"):
                answer = await counter.ask(app, method, spelling)
                assert (spelling, method, answer.status) == (spelling, method, 200)
                assert fields_of(answer) == fields_of(usual)
                assert bool(answer.body) is (method == "GET")
            for method, status in (("OPTIONS", 204), ("PATCH", 405)):
                answer = await counter.ask(app, method, spelling)
                assert (spelling, method, answer.status) == (spelling, method, status)
                allowed = answer.headers[b"allow"].split(b", ")
                assert {b"GET", b"HEAD", b"OPTIONS"} <= set(allowed)
        assert is_problem(await counter.ask(app, "GET", f"{path}//"), 404)


@pytest.mark.parametrize("app", PREFIXES)
async def test_the_root_has_a_page_of_links_and_the_options_of_the_whole_app(
    shop: Shop, address: str, app: str
) -> None:
    async with open_counter(shop, address) as counter:
        answers = [
            await counter.ask(app, "OPTIONS", root)
            for root in (
                "*",
                "/",
                PREFIXES[app],
                f"{PREFIXES[app]}/",
                "http://cafe",
                "http://cafe/",
            )
        ]
        assert {answer.status for answer in answers} == {204}
        assert len({answer.headers[b"allow"] for answer in answers}) == 1
        for method in ("GET", "HEAD"):
            assert (await counter.ask(app, method, "/")).status == 200
        assert is_problem(await counter.ask(app, "POST", "/"), 405)
        assert is_problem(await counter.ask(app, "OPTIONS", "/nothing"), 404)


CLAIMS = ("/start", "/start/", "/api/v1/worker/start/")


@pytest.mark.parametrize("path", CLAIMS)
async def test_head_and_options_claim_nothing(shop: Shop, address: str, path: str) -> None:
    async with open_counter(shop, address) as counter:
        for method, status in (("HEAD", 405), ("OPTIONS", 204), ("PUT", 405)):
            answer = await counter.ask("worker", method, path)
            assert (answer.status, answer.headers[b"allow"]) == (status, b"GET, OPTIONS, POST")


PREFERENCES = [
    # lines of Prefer; the preference applied
    (["respond-async"], b"respond-async"),
    (["RESPOND-ASYNC;x=1"], b"respond-async"),
    (["wait=0"], b"wait=0"),
    (['wait="0"'], b"wait=0"),
    (["handling=lenient, respond-async"], b"respond-async"),
    (["handling=lenient", "respond-async"], b"respond-async"),
    (["respond-async", "wait=5"], b"respond-async"),
    (["wait=5", "respond-async"], b"respond-async"),
    (["wait=0", "wait=60"], b"wait=0"),
    (['x="a, wait=60"', "wait=0"], b"wait=0"),
    (['x="a, wait=60, b", wait=0'], b"wait=0"),
    (["", "wait=0"], b"wait=0"),
]


@pytest.mark.parametrize(("lines", "applied"), PREFERENCES)
async def test_a_preference_is_applied(
    shop: Shop, address: str, lines: list[str], applied: bytes
) -> None:
    prefer = [f"Prefer: {line}" for line in lines]
    async with open_counter(shop, address) as counter:
        looked = await counter.ask("client", "GET", "/order/{order_id}", *prefer)
        assert (looked.status, looked.headers[b"preference-applied"]) == (200, applied)
        placed = await counter.ask("client", "POST", "/order", *prefer)
        assert (placed.status, placed.headers[b"preference-applied"]) == (202, applied)
        gone = await counter.ask(
            "client", "DELETE", f"/order/{json.loads(placed.body)['order_id']}"
        )
        assert gone.status == 200


@pytest.mark.parametrize("prefer", ['x="a, respond-async"', "respond-asynchronously", "wait=-1"])
async def test_a_malformed_preference_is_ignored(shop: Shop, address: str, prefer: str) -> None:
    async with open_counter(shop, address) as counter:
        looked = await counter.ask("client", "GET", "/order/{order_id}", f"Prefer: {prefer}")
        assert looked.status == 200
        assert b"preference-applied" not in looked.headers


KEY = "Idempotency-Key: one"
TYPE = "Content-Type: application/json"
ONCE: list[tuple[str, str, str, list[str], str]] = [
    # app, method, target, lines; the place of the error
    ("client", "POST", "/order/", [KEY, KEY], "header.idempotency-key"),
    ("client", "POST", "/order", [KEY, "idempotency-key: two"], "header.idempotency-key"),
    ("client", "POST", "/order", [KEY, "Idempotency-Key:"], "header.idempotency-key"),
    ("worker", "GET", "/start/", [KEY, KEY], "header.idempotency-key"),
    ("worker", "POST", "/start", [KEY, "Idempotency-Key: two"], "header.idempotency-key"),
    ("worker", "GET", "/start?wait=0&wait=0", [], "query.wait"),
    ("worker", "POST", "/start/?wait=0&barista=Bo&wait=9", [], "query.wait"),
    ("worker", "GET", "/start/?barista=Bo&barista=Bo", [], "query.barista"),
    ("worker", "GET", "/orders?barista=Bo&barista=Al", [], "query.barista"),
    ("worker", "GET", "/orders/?barista=Bo&bar%69sta=Bo", [], "query.barista"),
    ("worker", "POST", "/finish/?order_id={order_id}&order_id={order_id}", [], "query.order_id"),
    ("worker", "POST", "/finish?order_id={order_id}&order_id=x", [], "query.order_id"),
    ("worker", "POST", "/release/?order_id={order_id}&order_id=x", [], "query.order_id"),
]


@pytest.mark.parametrize(("app", "method", "target", "lines", "wrong"), ONCE)
async def test_a_parameter_that_may_be_sent_once_is_refused_when_sent_twice(
    shop: Shop, address: str, app: str, method: str, *, target: str, lines: list[str], wrong: str
) -> None:
    async with open_counter(shop, address) as counter:
        answer = await counter.ask(app, method, target, *lines)
        assert is_problem(answer, 422)
        errors = json.loads(answer.body)["errors"]
        assert [(".".join(one["loc"]), one["type"]) for one in errors] == [(wrong, "repeated")]


@pytest.mark.parametrize(("app", "path"), [("client", "/order/"), ("worker", "/finish/")])
@pytest.mark.parametrize("other", [TYPE, "content-type: text/plain"])
async def test_a_body_has_one_type(
    shop: Shop, address: str, app: str, path: str, other: str
) -> None:
    pairs = [line.partition(": ") for line in (TYPE, other, "Prefer: respond-async")]
    fields = [(name, value) for name, _, value in pairs]
    async with open_counter(shop, address):
        async with shop.customers(address) if app == "client" else shop.baristas() as client:
            response = await client.post(path, content=b'{"name": "Ada"}', headers=fields)
        assert (response.status_code, response.headers["content-type"]) == (422, MEDIA_TYPE)
        assert "repeated" in response.text


@pytest.mark.parametrize("key", ["", "two words", "é", "x" * 256])
@pytest.mark.parametrize(("app", "path"), [("client", "/order/"), ("worker", "/start/")])
async def test_a_malformed_key_is_refused(
    shop: Shop, address: str, app: str, path: str, key: str
) -> None:
    async with open_counter(shop, address) as counter:
        lines = [f"Idempotency-Key: {key}", "Prefer: respond-async"]
        assert is_problem(await counter.ask(app, "POST", path, *lines), 400)
