"""The staff's routes: deliveries and their steps; and managers' routes: districts and couriers.

Rule: routes only translate between HTTP and the desk. The unknown id of a delivery counts against
the client's address.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query, Request
from starlette.responses import Response
from starlette.types import Scope

from actors import Ref
from cafe.delivery.delivery import Status
from cafe.delivery.desk import DeliveryDesk
from cafe.delivery.messages import (
    AddCourier,
    AddDistrict,
    ChangeCourier,
    ChangeDistrict,
    Publish,
    Step,
    Take,
    new_id,
)
from cafe.delivery.refusals import (
    CourierBusy,
    DeliveryConflict,
    DistrictQueued,
    NoFreeCourier,
    UnknownCourier,
    UnknownDelivery,
    UnknownDistrict,
)
from cafe.delivery.schemas import (
    DELIVERY,
    WAITING,
    CancelIn,
    ChangedCourierOut,
    CourierIn,
    CourierOut,
    CourierPatch,
    CouriersOut,
    DeliveriesOut,
    DeliveryIn,
    DeliveryOut,
    DistrictIn,
    DistrictOut,
    DistrictPatch,
    DistrictsOut,
    FailIn,
    HandedOut,
    ReassignIn,
)
from cafe.delivery.shown import (
    changed_courier_out,
    courier_out,
    delivery_out,
    district_out,
    handed_out,
)
from cafe.http.app import BODY, problems
from cafe.http.authentication import Caller, Manager, Staff
from cafe.http.pages import LINKED, Cursor, link_headers, page_of
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.schema import QueryInteger
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter

MOST_LISTED: Final = 500
Limit = Annotated[QueryInteger, Query(ge=1, le=MOST_LISTED, description="How many, at most.")]
DistrictId = Annotated[str, Path(description="As the district's answer tells it.")]
CourierId = Annotated[str, Path(description="As the courier's answer tells it.")]
NO_LEDGER: Final = problems(
    503, because="The member `reason` is `ledger`: nothing can be written down."
)
DISTRICT_KEPT: Final = problems(
    409,
    because="The name is another district's; or deliveries wait: `queued` says how many.",
    refusal=DistrictQueued(2),
)
NO_SUCH_COURIER: Final = problems(404, refusal=UnknownCourier())
COURIER_KEPT: Final = problems(
    409,
    because="The account is another courier's; or one who has an order in hand, which `order_id` "
    "tells, cannot be retired; or one who is retired cannot come on duty.",
    refusal=CourierBusy(DELIVERY["order_id"]),
)
MOST_ON_PAGE: Final = 100
OrderId = Annotated[str, Path(description="As the delivery's answer tells it.")]
InStatus = Annotated[Status | None, Query(description="Only those that stand so.")]
STEP: Final[dict[int | str, dict[str, Any]]] = {
    **problems(404, refusal=UnknownDelivery()),
    **problems(
        409,
        because="`delivery_status`, or `order_status` as long as it is not ready, says where it "
        "stands; or the member `reason` is `no_free_courier`.",
        refusal=DeliveryConflict(Status.DELIVERED),
    ),
}
PUBLISHED: Final[dict[int | str, dict[str, Any]]] = {
    201: {"model": DeliveryOut, "description": "A courier has it."},
    202: {
        "model": DeliveryOut,
        "description": "It waits for a courier.",
        "content": {"application/json": {"example": WAITING}},
    },
    **BODY,
    **problems(
        409,
        because="The member `reason` is `no_free_courier`: nothing is kept. With `queue` it waits.",
        refusal=NoFreeCourier(),
    ),
}


@asynccontextmanager
async def counting_unknown(limiter: Ref[RateLimiter], scope: Scope) -> AsyncGenerator[None]:
    """Count an unknown delivery or courier against the request's address."""
    try:
        yield
    except (UnknownDelivery, UnknownCourier):
        await count_refusal(limiter, "unknown", scope)
        raise


def delivery_routes(desk: DeliveryDesk, limiter: Ref[RateLimiter]) -> APIRouter:
    """Return the routes that staff use."""
    router = APIRouter(
        tags=["delivery"], responses={**BARISTAS_ONLY, **NO_LEDGER}, route_class=PlainRoute
    )

    @router.post("/deliveries", status_code=201, response_model=DeliveryOut, responses=PUBLISHED)
    async def publish(request: Request, staff: Staff, wanted: DeliveryIn) -> Response:
        """Have an order delivered that needs no brewing: a courier has it at once, or it waits."""
        message = Publish(
            desk.orders.ids.new(),
            wanted.name,
            wanted.district,
            wanted.address,
            wanted.queue,
            staff.name,
        )
        delivery = await desk.publish(message)
        place = f"{request.scope.get('root_path', '')}/deliveries/{delivery.order_id}"
        status = 202 if delivery.status is Status.WAITING else 201
        return answer(delivery_out(delivery), status, {"Location": place})

    @router.get("/deliveries", response_model=DeliveriesOut, responses=LINKED)
    async def deliveries(
        request: Request,
        _staff: Staff,
        status: InStatus = None,
        limit: Limit = MOST_ON_PAGE,
        cursor: Cursor = None,
    ) -> Response:
        """List deliveries, the newest first."""
        found = await desk.list(status, cursor, limit + 1)
        shown, behind = page_of(found, limit, lambda one: one.sequence)
        links = link_headers(request, "/deliveries", behind, status=status, limit=limit)
        return answer({"deliveries": [delivery_out(one) for one in shown]}, headers=links)

    @router.get("/deliveries/{order_id}", response_model=DeliveryOut, responses=STEP)
    async def delivery(request: Request, _staff: Staff, order_id: OrderId) -> Response:
        """Show a delivery."""
        async with counting_unknown(limiter, request.scope):
            return answer(delivery_out(await desk.find(order_id)))

    _add_steps(router, desk, limiter)
    return router


def _add_steps(router: APIRouter, desk: DeliveryDesk, limiter: Ref[RateLimiter]) -> None:
    async def taken(
        request: Request,
        caller: Caller,
        order_id: str,
        step: Step,
        *,
        reason: str | None = None,
        to: str | None = None,
    ) -> Response:
        async with counting_unknown(limiter, request.scope):
            handed = await desk.take(Take(order_id, step, caller.name, reason, to))
        return answer(handed_out(handed))

    @router.post("/deliveries/{order_id}/pickup", response_model=HandedOut, responses=STEP)
    async def pickup(request: Request, staff: Staff, order_id: OrderId) -> Response:
        """Note that the courier has it."""
        return await taken(request, staff, order_id, "pick up")

    @router.post("/deliveries/{order_id}/finish", response_model=HandedOut, responses=STEP)
    async def finish(request: Request, staff: Staff, order_id: OrderId) -> Response:
        """Note that it is delivered, and hand its courier the next one."""
        return await taken(request, staff, order_id, "finish")

    @router.post(
        "/deliveries/{order_id}/fail", response_model=HandedOut, responses={**BODY, **STEP}
    )
    async def fail(request: Request, staff: Staff, order_id: OrderId, why: FailIn) -> Response:
        """Note that it could not be delivered, and hand its courier the next one."""
        return await taken(request, staff, order_id, "fail", reason=why.reason)

    @router.post("/deliveries/{order_id}/retry", response_model=HandedOut, responses=STEP)
    async def retry(request: Request, staff: Staff, order_id: OrderId) -> Response:
        """Let one that has failed wait again, in its old place."""
        return await taken(request, staff, order_id, "retry")

    @router.post(
        "/deliveries/{order_id}/cancel", response_model=HandedOut, responses={**BODY, **STEP}
    )
    async def cancel(
        request: Request,
        staff: Staff,
        order_id: OrderId,
        why: Annotated[CancelIn | None, Body()] = None,
    ) -> Response:
        """Cancel a delivery and its order, and hand its courier the next one."""
        reason = None if why is None else why.reason
        return await taken(request, staff, order_id, "cancel", reason=reason)

    @router.post(
        "/deliveries/{order_id}/reassign", response_model=HandedOut, responses={**BODY, **STEP}
    )
    async def reassign(
        request: Request,
        manager: Manager,
        order_id: OrderId,
        wish: Annotated[ReassignIn | None, Body()] = None,
    ) -> Response:
        """Give it to another courier, and hand the one who had it the next one."""
        to = None if wish is None else wish.courier_id
        return await taken(request, manager, order_id, "reassign", to=to)


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
        shown, behind = page_of(found, limit, lambda one: one.number)
        links = link_headers(request, "/districts", behind, limit=limit)
        return answer({"districts": [district_out(one) for one in shown]}, headers=links)

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
        responses={**BODY, **problems(404, refusal=UnknownDistrict()), **DISTRICT_KEPT},
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
        shown, behind = page_of(found, limit, lambda one: one.courier.number)
        links = link_headers(request, "/couriers", behind, limit=limit)
        return answer({"couriers": [courier_out(*one) for one in shown]}, headers=links)

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

    @router.get("/couriers/{courier_id}", response_model=CourierOut, responses=NO_SUCH_COURIER)
    async def courier(_manager: Manager, courier_id: CourierId) -> Response:
        """Show a courier with the figures."""
        return answer(courier_out(*await desk.courier(courier_id)))

    @router.patch(
        "/couriers/{courier_id}",
        response_model=ChangedCourierOut,
        responses={**BODY, **NO_SUCH_COURIER, **COURIER_KEPT},
    )
    async def change(manager: Manager, courier_id: CourierId, courier: CourierPatch) -> Response:
        """Change a courier: name, districts, whether on duty or retired."""
        message = ChangeCourier(courier_id, courier.wish(), manager.name)
        return answer(changed_courier_out(*await desk.change_courier(message)))
