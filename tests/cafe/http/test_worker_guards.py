"""Who may use the baristas' port: requests with the token, and no pages of other sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.http.authentication import nobody
from cafe.http.worker_guards import CredentialsGuard, PageGuard, StaffAuthentication, objection
from tests.cafe.http.layers import with_outer_layer

HOSTS = frozenset({"cafe.example", "kasse"})
HEALTH = frozenset({"/livez", "/readyz"})
TOKEN = "open sesame, é"
REPORTED: list[str] = []
"""Paths whose requests the token guard has refused."""
Lines = Sequence[str]

LOOPBACK, NAMED = "Host: 127.0.0.1:8081", "Host: cafe.example"

ADMITTED: dict[str, Lines] = {
    "curl": [LOOPBACK, "User-Agent: curl/8.5.0", "Accept: */*"],
    "curl at localhost": ["Host: localhost:8081"],
    "curl at a name below localhost": ["Host: cafe.localhost:8081"],
    "curl at IPv6": ["Host: [::1]:8081"],
    "curl in the network": ["Host: 192.168.1.5:8081"],
    "IPv6 in the network": ["Host: [fd00::17]"],
    "a name of ours": [NAMED],
    "a name of ours with a port": ["Host: kasse:8081"],
    "a name of ours in capitals": ["Host: CAFE.Example:443"],
    "a name of ours with its dot": ["Host: cafe.example.:8081"],
    "HTTP/1.0 without a host": [],
    "a page typed in": [LOOPBACK, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"],
    "our own docs": [LOOPBACK, "Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1:8081"],
    "our docs at a name": [NAMED, "Origin: http://cafe.example"],
    "our docs at a name, default port": ["Host: cafe.example:80", "Origin: http://cafe.example"],
    "our docs behind a proxy with TLS": [NAMED, "Origin: https://cafe.example"],
    "our docs at IPv6": ["Host: [::1]:8081", "Origin: http://[::1]:8081"],
}
PAGES: dict[str, Lines] = {
    "another site's page": [LOOPBACK, "Sec-Fetch-Site: cross-site"],
    "a page on another port": [LOOPBACK, "Sec-Fetch-Site: same-site"],
    "an unknown value": [LOOPBACK, "Sec-Fetch-Site: elsewhere"],
    "an empty value": [LOOPBACK, "Sec-Fetch-Site: "],
    "two values": [LOOPBACK, "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"],
    "another site's form": [LOOPBACK, "Origin: https://evil.example"],
    "a sandboxed form": [LOOPBACK, "Origin: null"],
    "an empty origin": [LOOPBACK, "Origin: "],
    "our address as a user's name": [LOOPBACK, "Origin: http://127.0.0.1:8081@evil.example"],
    "our address and more": [LOOPBACK, "Origin: http://127.0.0.1:8081.evil.example"],
    "a page on the customers' port": [LOOPBACK, "Origin: http://127.0.0.1:8080"],
    "a page on the default port": [LOOPBACK, "Origin: http://127.0.0.1"],
    "a page by another name of ours": [LOOPBACK, "Origin: http://localhost:8081"],
    "a page with another scheme": [LOOPBACK, "Origin: ftp://127.0.0.1:8081"],
    "an extension": [LOOPBACK, "Origin: chrome-extension://abcdefghijklmnop"],
    "two origins": [LOOPBACK, "Origin: http://127.0.0.1:8081", "Origin: https://evil.example"],
    "an origin and no host": ["Origin: http://127.0.0.1:8081"],
}
NAMES: dict[str, Lines] = {
    "a rebound name": ["Host: evil.example:8081"],
    "a rebound name's own page": [
        "Host: evil.example:8081",
        "Sec-Fetch-Site: same-origin",
        "Origin: http://evil.example:8081",
    ],
    "a name below ours": ["Host: evil.cafe.example"],
    "a name that ends like ours": ["Host: evilcafe.example"],
    "a name that ends like localhost": ["Host: evillocalhost:8081"],
    "localhost as a name above": ["Host: localhost.evil.example"],
    "an address as a name above": ["Host: 127.0.0.1.evil.example"],
    "no host": ["Host: "],
    "only a port": ["Host: :8081"],
    "only a dot": ["Host: ."],
    "a user's name": ["Host: 127.0.0.1@evil.example"],
    "two ports": ["Host: evil.example:127.0.0.1:8081"],
    "IPv6 without brackets": ["Host: ::1"],
    "half a bracket": ["Host: [::1"],
    # These reach a server on 127.0.0.1, and browsers do not say there from where they come.
    "no address": ["Host: 0.0.0.0:8081"],
    "no IPv6 address": ["Host: [::]:8081"],
    "a mapped address": ["Host: [::ffff:7f00:1]:8081"],
    "a mapped address, dotted": ["Host: [::ffff:127.0.0.1]:8081"],
    "a number": ["Host: 2130706433:8081"],
}
REFUSED = PAGES | NAMES


def fields(lines: Lines) -> list[tuple[bytes, bytes]]:
    """Return header lines as ASGI has them."""
    pairs = (line.encode("latin-1").partition(b":")[::2] for line in lines)
    return [(name.lower(), value.strip()) for name, value in pairs]


async def status_for(
    lines: Lines,
    path: str = "/start/",
    scheme: str = "http",
    hosts: frozenset[str] | None = HOSTS,
) -> int:
    """Send a request to the page guard; return the status of its response."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    app = with_outer_layer(PageGuard(Response(b"inside"), hosts, HEALTH))
    scope = {"type": "http", "method": "GET", "path": path, "scheme": scheme, "client": None}
    await app({**scope, "headers": fields(lines)}, receive, send)
    status: int = sent[0]["status"]
    if status != 200:
        assert dict(sent[0]["headers"])[b"content-type"] == b"application/problem+json"
    return status


@pytest.mark.parametrize("path", ["/start/", "/api/start/", "/docs", "/livez/../start/"])
@pytest.mark.parametrize("lines", ADMITTED.values(), ids=ADMITTED)
async def test_programs_and_our_own_pages_pass(lines: Lines, path: str) -> None:
    assert await status_for(lines, path) == 200


@pytest.mark.parametrize("path", ["/start/", "/api/start/", "/docs", "/no/livez"])
@pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED)
async def test_pages_of_other_sites_and_unknown_names_are_refused(lines: Lines, path: str) -> None:
    assert await status_for(lines, path) == 403


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/api/livez"])
@pytest.mark.parametrize("lines", [*ADMITTED.values(), *REFUSED.values()])
async def test_the_page_guard_passes_health_routes(lines: Lines, path: str) -> None:
    assert await status_for(lines, path) == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([NAMED, "Origin: https://cafe.example"], 200),
        (["Host: cafe.example:8443", "Origin: https://cafe.example:8443"], 200),
        ([NAMED, "Origin: http://cafe.example"], 403),
        (["Host: cafe.example:443", "Origin: https://cafe.example"], 200),
    ],
)
async def test_with_tls_here_a_page_without_it_is_of_another_site(
    lines: Lines, status: int
) -> None:
    assert await status_for(lines, scheme="https") == status


@pytest.mark.parametrize("lines", [*ADMITTED.values(), *NAMES.values()])
async def test_without_a_list_of_hosts_any_name_passes(lines: Lines) -> None:
    assert await status_for(lines, hosts=None) == 200


@pytest.mark.parametrize("lines", PAGES.values(), ids=PAGES)
async def test_without_a_list_of_hosts_pages_are_still_refused(lines: Lines) -> None:
    assert await status_for(lines, hosts=None) == 403


def test_the_reason_says_what_to_do() -> None:
    by_name = objection(fields(["Host: shop.example"]), "http", HOSTS)
    assert by_name is not None
    assert "CAFE_WORKER_HOSTS" in by_name
    by_page = objection(fields(REFUSED["another site's page"]), "http", HOSTS)
    assert by_page is not None
    assert "another site" in by_page


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from(["http", "https"]))
def test_no_bytes_raise(host: bytes, origin: bytes, scheme: str) -> None:
    headers = [(b"host", host), (b"origin", origin)]
    reason = objection(headers, scheme, HOSTS)
    assert reason is None or reason.endswith(".")


names = st.from_regex(r"[a-z0-9-]{1,9}(\.[a-z0-9-]{1,9}){0,3}", fullmatch=True)


@given(names, st.none() | st.integers(0, 65_535))
def test_a_page_passes_only_if_its_origin_is_the_host(name: str, port: int | None) -> None:
    host = name if port is None else f"{name}:{port}"
    lines = [f"Host: {host}", f"Origin: http://{host}"]
    assert objection(fields(lines), "http", frozenset({name})) is None
    other = [f"Host: {host}", f"Origin: http://x{host}"]
    assert objection(fields(other), "http", frozenset({name})) is not None


async def report(scope: Scope) -> None:
    REPORTED.append(scope["path"])


def guarded(staffs: ASGIApp) -> CredentialsGuard:
    """Return a guard that lets in who has the token; others may use public paths."""
    with_token = StaffAuthentication("token", TOKEN, nobody)
    return CredentialsGuard(staffs, Response(b"others"), with_token, frozenset({"/livez"}), report)


TOKEN_GUARD = with_outer_layer(guarded(Response(b"inside")))


async def status_with(path: str, *authorizations: bytes) -> int:
    headers = [(b"Authorization", one) for one in authorizations]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(TOKEN_GUARD), base_url="http://cafe"
    ) as client:
        response = await client.get(path, headers=headers)
    if response.status_code == 401:
        assert response.headers["www-authenticate"] == 'Bearer realm="cafe"'
        assert "sesame" not in response.text
    return response.status_code


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER   "])
async def test_a_request_with_the_token_passes(scheme: bytes) -> None:
    assert await status_with("/start/", scheme + TOKEN.encode()) == 200


@pytest.mark.parametrize(
    "given",
    [
        (),
        (b"",),
        (b"Bearer",),
        (b"Bearer ",),
        (b"Bearer wrong",),
        (TOKEN.encode(),),
        (b"Basic " + TOKEN.encode(),),
        (b"Bearer " + TOKEN.encode() + b"!",),
        (b"Bearer wrong", b"Bearer " + TOKEN.encode()),
        (b"Bearer " + TOKEN.encode(), b"Bearer " + TOKEN.encode()),
    ],
)
async def test_any_other_request_is_refused(given: tuple[bytes, ...]) -> None:
    assert await status_with("/start/", *given) == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [("/livez", 200), ("/api/livez", 200), ("/livez/", 200), ("/start/livez", 401)],
)
async def test_only_health_routes_need_no_token(path: str, status: int) -> None:
    assert await status_with(path) == status


async def test_each_refusal_is_reported_and_nothing_else() -> None:
    REPORTED.clear()
    for sent in (b"Bearer wrong", b"Bearer " + TOKEN.encode(), b"Bearer wrong"):
        await status_with("/start/", sent)
        await status_with("/livez", sent)
    assert REPORTED == ["/start", "/start"]


@pytest.mark.parametrize(
    "guard",
    [
        partial(PageGuard, hosts=HOSTS, exempt=HEALTH),
        guarded,
    ],
)
async def test_what_is_no_request_passes(guard: Callable[[ASGIApp], ASGIApp]) -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(_message: Message) -> None:
        raise AssertionError

    await guard(app)({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
