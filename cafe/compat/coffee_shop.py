"""The calls of coffee-shop."""

from __future__ import annotations

from fastapi import APIRouter

from cafe.compat.desks import Desks
from cafe.http.other_apis import LooseRoute
from cafe.offer import OtherApi


def coffee_shop(desks: Desks, prefix: str) -> OtherApi:
    """Return the API of coffee-shop."""
    return OtherApi(prefix=prefix, title="coffee-shop", customer_routes=(routes(desks),))


def routes(_desks: Desks) -> APIRouter:
    """Return its routes."""
    router = APIRouter(route_class=LooseRoute)

    @router.get("/")
    async def root() -> None:
        """Answer nothing yet."""

    return router
