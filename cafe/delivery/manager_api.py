"""The managers' routes: districts and couriers.

Rule: HTTP into one ask of the desk, and its answer into HTTP.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from cafe.delivery.desk import DeliveryDesk
from cafe.delivery.messages import (
    AddCourier,
    AddDistrict,
    ChangeCourier,
    ChangeDistrict,
    new_id,
)
from cafe.delivery.schemas import (
    ChangedCourierOut,
    CourierIn,
    CourierOut,
    CourierPatch,
    CouriersOut,
    DistrictIn,
    DistrictOut,
    DistrictPatch,
    DistrictsOut,
)
from cafe.delivery.shown import changed_courier_out, courier_out, district_out
from cafe.http.app import problems
from cafe.http.authentication import Manager
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.schema import QueryInteger
from cafe.http.worker_guards import BARISTAS_ONLY

MOST_LISTED: Final = 500
Limit = Annotated[QueryInteger, Query(ge=1, le=MOST_LISTED, description="How many, at most.")]
DistrictId = Annotated[str, Path(description="As the district's answer tells it.")]
CourierId = Annotated[str, Path(description="As the courier's answer tells it.")]
NO_LEDGER: Final = problems(
    503, because="The member `reason` is `ledger`: nothing can be written down."
)
BODY: Final = problems(400, 408, 413)
DISTRICT_KEPT: Final = problems(
    409, because="The name is another district's; or deliveries wait: `queued` says how many."
)
COURIER_KEPT: Final = problems(
    409,
    because="The account is another courier's; or one who has an order in hand, which `order_id` "
    "tells, cannot be retired; or one who is retired cannot come on duty.",
)


def manager_routes(desk: DeliveryDesk) -> APIRouter:
    """Return the routes that managers use."""
    router = APIRouter(
        tags=["delivery"], responses={**BARISTAS_ONLY, **NO_LEDGER}, route_class=PlainRoute
    )
    _add_district_routes(router, desk)
    _add_courier_routes(router, desk)
    return router


def _add_district_routes(router: APIRouter, desk: DeliveryDesk) -> None:
    @router.get("/districts", response_model=DistrictsOut, responses=LINKED)
    async def districts(
        request: Request, _manager: Manager, limit: Limit = MOST_LISTED, cursor: Cursor = None
    ) -> Response:
        """List districts, retired ones as well, in the order in which they were added."""
        found = await desk.districts(cursor or 0, limit + 1)
        behind = found[limit - 1].number if len(found) > limit else None
        links = link_headers(request, "/districts", behind, limit=limit)
        return answer({"districts": [district_out(one) for one in found[:limit]]}, headers=links)

    @router.post(
        "/districts",
        status_code=201,
        response_model=DistrictOut,
        responses={**BODY, **DISTRICT_KEPT},
    )
    async def add(manager: Manager, district: DistrictIn) -> Response:
        """Add a district; its name is unique, in whatever case."""
        added = await desk.add_district(AddDistrict(new_id(), district.name, manager.name))
        return answer(district_out(added), 201)

    @router.patch(
        "/districts/{district_id}",
        response_model=DistrictOut,
        responses={**BODY, **problems(404), **DISTRICT_KEPT},
    )
    async def change(
        manager: Manager, district_id: DistrictId, district: DistrictPatch
    ) -> Response:
        """Rename a district, retire it, or take it up again."""
        message = ChangeDistrict(district_id, district.name, district.retired, manager.name)
        return answer(district_out(await desk.change_district(message)))


def _add_courier_routes(router: APIRouter, desk: DeliveryDesk) -> None:
    @router.get("/couriers", response_model=CouriersOut, responses=LINKED)
    async def couriers(
        request: Request, _manager: Manager, limit: Limit = MOST_LISTED, cursor: Cursor = None
    ) -> Response:
        """List couriers, retired ones as well, in the order in which they were added."""
        found = await desk.list_couriers(cursor or 0, limit + 1)
        behind = found[limit - 1].courier.number if len(found) > limit else None
        links = link_headers(request, "/couriers", behind, limit=limit)
        return answer({"couriers": [courier_out(*one) for one in found[:limit]]}, headers=links)

    @router.post(
        "/couriers",
        status_code=201,
        response_model=ChangedCourierOut,
        responses={**BODY, **COURIER_KEPT},
    )
    async def add(manager: Manager, courier: CourierIn) -> Response:
        """Add a courier, who is on duty if not said otherwise."""
        added = await desk.add_courier(
            AddCourier(
                new_id(),
                courier.name,
                tuple(courier.districts),
                courier.account,
                courier.on_duty,
                manager.name,
            )
        )
        return answer(changed_courier_out(*added), 201)

    @router.get("/couriers/{courier_id}", response_model=CourierOut, responses=problems(404))
    async def courier(_manager: Manager, courier_id: CourierId) -> Response:
        """Show a courier with the figures."""
        return answer(courier_out(*await desk.courier(courier_id)))

    @router.patch(
        "/couriers/{courier_id}",
        response_model=ChangedCourierOut,
        responses={**BODY, **problems(404), **COURIER_KEPT},
    )
    async def change(manager: Manager, courier_id: CourierId, courier: CourierPatch) -> Response:
        """Change a courier: name, districts, whether on duty or retired."""
        message = ChangeCourier(courier_id, courier.wish(), manager.name)
        return answer(changed_courier_out(*await desk.change_courier(message)))
