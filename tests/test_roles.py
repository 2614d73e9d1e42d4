"""Who may use which route: every route of both apps, with every role and with none.

Rule: a route that is not in the table fails the test, so each new one is one line here.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx
import pytest
import structlog
import trio
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from actors import System, open_system
from cafe.accounts.department import AccountsOffer
from cafe.accounts.desk import Desk
from cafe.accounts.messages import Register, SignInTo
from cafe.http.authentication import Role
from cafe.http.other_apis import ByPrefix
from cafe.ledger.ledger import Ledger
from cafe.limits.admission import Admission
from cafe.settings import read_settings
from cafe.shop.departments import OURS
from cafe.shop.ports import Access
from cafe.shop.shop import open_house
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_ledger
from tests.routes import EVERYONE, NONE, ROUTES

TOKEN: Final = "open-sesame-4711"
_addresses = count(1)


def apis_of(app: ASGIApp) -> Mapping[str, FastAPI]:
    """Return the FastAPI apps within the layers of an app, by their prefixes."""
    while not isinstance(app, FastAPI):
        if isinstance(app, ByPrefix):
            inner = vars(app)
            apps = {"": inner["_app"], **inner["_others"]}
            return {prefix: api for prefix, one in apps.items() for api in apis_of(one).values()}
        inner = vars(app)
        app = inner["_app"] if "_app" in inner else inner["_staffs"]
    return {"": app}


def routes_of(name: str, app: ASGIApp) -> Iterator[tuple[str, str, str]]:
    """Yield the key in the table, the method and the path of each route; HEAD is as GET."""
    for prefix, api in apis_of(app).items():
        for route in api.routes:
            if isinstance(route, Mount):
                path = f"{prefix}{route.path}"
                yield f"{name} GET {path}", "GET", f"{path}/swagger-ui.css"
                continue
            assert isinstance(route, Route), f"what is {route}?"
            template = f"{prefix}{route.path_format}"
            path = re.sub(r"\{\w+\}", "x", template)
            for method in route.methods or ():
                shown = "GET" if method == "HEAD" else method
                yield f"{name} {shown} {template.rstrip('/') or '/'}", method, path


@dataclass(frozen=True)
class House:
    """Both apps, and who may use them."""

    apps: dict[str, ASGIApp]
    desk: Desk
    accounts: dict[str, str]
    """By role, an account that has it."""

    async def token(self, role: str) -> str | None:
        """Return the token of a new sign-in; None for none."""
        if role == NONE:
            return None
        sign_in_id, account_id = secrets.token_urlsafe(16), self.accounts[role]
        await self.desk.accounts.ask(SignInTo(sign_in_id, account_id, "no hash"))
        return self.desk.tokens.access(account_id, role, sign_in_id, self.desk.ledger.now())

    async def status(self, app: ASGIApp, method: str, path: str, token: str | None) -> int:
        """Return the status of an empty request; 0 for one that waits, so it was let in."""
        transport = httpx.ASGITransport(app, client=(f"10.0.0.{next(_addresses)}", 1))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with trio.move_on_after(1):
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8081", headers=headers
            ) as client:
                return (await client.request(method, path)).status_code
        return 0


@asynccontextmanager
async def open_apps(access: Access, base: str = "") -> AsyncGenerator[House]:
    """Open the house as the shop does, or at `base` as a front of several shops does."""
    with structlog.testing.capture_logs():
        async with open_ledger(FaultyStore()) as ledger, open_system() as system:
            yield await opened(ledger, system, access, base)


async def opened(ledger: Ledger, system: System, access: Access, base: str = "") -> House:
    registry = CollectorRegistry()
    settings = read_settings({"database_url": "sqlite://", "limit_requests": "100000"})
    shop = await open_house(settings, system, ledger, registry, OURS)
    doors = {"client": Admission(None, 9), "worker": Admission(None, 9)}
    client, worker = shop.apps(
        registry, doors, access, ledger, why_not_ready=shop.why_not_ready, base=base
    )
    (offer,) = (one for one in shop.offers if isinstance(one, AccountsOffer))
    accounts: dict[str, str] = {}
    for role in Role:
        email = f"{role}@example.com"
        wish = Register(f"id of {role}", email, email, None, role, "no hash", by="a test")
        accounts[role] = (await offer.desk.accounts.ask(wish)).account_id
    return House({"client": client, "worker": worker}, offer.desk, accounts)


def shown(status: int) -> str:
    """Return what a status says of who was let in."""
    return {401: "wants credentials", 403: "forbids"}.get(status, "lets in")


async def test_every_route_lets_in_the_roles_of_the_table(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - time passes at once
) -> None:
    wrong: list[str] = []
    seen: set[str] = set()
    async with open_apps(Access("accounts")) as house:
        for name, app in house.apps.items():
            for key, method, path in routes_of(name, app):
                seen.add(key)
                for role in (NONE, *Role):
                    status = await house.status(app, method, path, await house.token(role))
                    refusal = "wants credentials" if role == NONE else "forbids"
                    expected = "lets in" if role in ROUTES[key] else refusal
                    if shown(status) != expected:
                        wrong.append(f"{key} {shown(status)} {role}: {status}")
    assert wrong == []
    assert seen == set(ROUTES)


@pytest.mark.parametrize(
    ("access", "token"), [(Access("open"), None), (Access("token", TOKEN), TOKEN)]
)
async def test_on_an_open_port_and_with_the_worker_token_one_is_a_barista(
    access: Access,
    token: str | None,
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - as above
) -> None:
    wrong: list[str] = []
    async with open_apps(access) as house:
        app = house.apps["worker"]
        for key, method, path in routes_of("worker", app):
            for role in (None, *Role):
                sent = token if role is None else await house.token(role)
                status = await house.status(app, method, path, sent)
                if role is None and "/auth/" in key:
                    continue  # the staff as such has no account
                may = (role or Role.BARISTA) in ROUTES[key]
                if shown(status) != ("lets in" if may else "forbids"):
                    wrong.append(f"{key} {shown(status)} {role or 'a barista'}: {status}")
    assert wrong == []


async def test_the_documentation_says_which_routes_want_which_roles() -> None:
    async with open_apps(Access("accounts")) as house:
        for name, app in house.apps.items():
            for prefix, api in apis_of(app).items():
                schema: dict[str, Any] = api.openapi()
                assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
                for path, operations in schema["paths"].items():
                    for method, operation in operations.items():
                        template = f"{prefix}{path}".rstrip("/") or "/"
                        roles = ROUTES[f"{name} {method.upper()} {template}"]
                        is_for_some = roles != EVERYONE
                        assert ("security" in operation) is is_for_some, path
                        if is_for_some:
                            assert {"401", "403"} <= set(operation["responses"]), path
