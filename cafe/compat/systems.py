"""The systems whose clients we serve, and the list of them at `GET /compat/`.

Rule: a system is one line here. `CAFE_COMPAT` selects those that are served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from cafe.compat.coffee_shop import coffee_shop
from cafe.compat.courier_service import courier_service
from cafe.compat.desks import Desks
from cafe.compat.functech import functech
from cafe.compat.restaurant_booking import restaurant_booking
from cafe.http.by_shop import base_used
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.offer import Offer, OtherApi
from cafe.setting_types import COMPAT, parse_compat
from cafe.settings import Settings

PREFIX: Final = "/compat"


def cafe(_desks: Desks, prefix: str) -> OtherApi:
    """Return the API of the plain counter, which is ours: nothing is translated."""
    return OtherApi(prefix=prefix, title="The café's own API")


SYSTEMS: Final[Mapping[str, Callable[[Desks, str], OtherApi]]] = {
    "cafe": cafe,
    "functech": functech,
    "courier-service": courier_service,
    "restaurant-booking": restaurant_booking,
    "coffee-shop": coffee_shop,
}


class SystemOut(BaseModel):
    """A system whose clients are served here."""

    name: str
    title: str
    base_url: str
    docs: str


class SystemsOut(BaseModel):
    """The systems whose clients are served here."""

    systems: list[SystemOut]


def open_compat(settings: Settings, desks: Desks) -> Offer:
    """Return the offer for clients of other systems; an empty one if no system is named."""
    served = parse_compat(settings.compat)
    apis = {name: SYSTEMS[name](desks, f"{PREFIX}/{name}") for name in COMPAT if name in served}
    if not apis:
        return Offer(name="compat")
    on_worker = {name: api for name, api in apis.items() if api.staff_routes or name == "cafe"}
    return Offer(
        name="compat",
        customer_routes=(list_routes(apis),),
        staff_routes=(list_routes(on_worker),),
        other_apis=tuple(apis.values()),
    )


def shown(name: str, base: str, api: OtherApi) -> SystemOut:
    """Return what is shown of a system, below the path of the shop."""
    url = base + api.prefix
    return SystemOut(name=name, title=api.title, base_url=url, docs=f"{url}/docs")


def list_routes(apis: Mapping[str, OtherApi]) -> APIRouter:
    """Return the route that lists the systems."""
    # Not in OpenAPI, which documents our own API only.
    router = APIRouter(route_class=PlainRoute, include_in_schema=False)

    @router.get("/compat/", response_model=SystemsOut)
    async def systems(request: Request) -> Response:
        """List the systems whose clients are served, with their documentation."""
        base = base_used(request.scope)
        return answer(SystemsOut(systems=[shown(name, base, api) for name, api in apis.items()]))

    return router
