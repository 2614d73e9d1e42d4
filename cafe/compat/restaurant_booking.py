"""The calls of restaurant-booking."""

from __future__ import annotations

from fastapi import APIRouter

from cafe.compat.desks import Desks
from cafe.http.other_apis import LooseRoute
from cafe.offer import OtherApi


def restaurant_booking(desks: Desks, prefix: str) -> OtherApi:
    """Return the API of restaurant-booking."""
    return OtherApi(prefix=prefix, title="restaurant-booking", customer_routes=(routes(desks),))


def routes(_desks: Desks) -> APIRouter:
    """Return its routes."""
    router = APIRouter(route_class=LooseRoute)

    @router.get("/")
    async def root() -> None:
        """Answer nothing yet."""

    return router
