"""The API of courier-service: couriers, districts, and one active order for each courier.

Rule: routes only translate between HTTP and the desk of delivery; `courier_service_schemas` has the
schemas. A `sid` is an id of ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query, Request
from starlette.responses import Response

from cafe.compat.courier_service_schemas import (
    AddedOut,
    AddIn,
    CourierOut,
    CreateIn,
    FinishedOut,
    LookOut,
    NamedOut,
    PublishedOut,
    PublishIn,
    named_out,
    status_of,
)
from cafe.compat.desks import Desks
from cafe.compat.fields import either
from cafe.delivery.delivery import Delivery
from cafe.delivery.messages import AddCourier, AddDistrict, Publish, Take, new_id
from cafe.delivery.schemas import Name
from cafe.delivery.staff_api import MOST_LISTED, NO_LEDGER, STEP, counting_unknown
from cafe.http.app import BODY, problems
from cafe.http.authentication import Staff
from cafe.http.other_apis import LooseRoute
from cafe.http.pages import LINKED, Cursor, link_headers, page_of
from cafe.http.reply import answer
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.offer import OtherApi

DESCRIPTION: Final = """
Clients of courier-service change their base URL to this one and nothing else. All calls are for
staff.

Publishing gives the order to the courier of the district who is free longest, who has it in hand
until it is finished. A `sid` is an id as the own API has it.
"""
InQuery = Annotated[Name | None, Query(description="If it is no member of the body.")]
Sid = Annotated[str, Path(description="As the answers tell it.")]
STAFF_ONLY: Final = {**BARISTAS_ONLY, **NO_LEDGER}
PUBLISHED: Final[dict[int | str, dict[str, Any]]] = {
    **BODY,
    **problems(409, because="The member `reason` is `no_free_courier`: nothing is kept."),
}


def courier_service(desks: Desks, prefix: str) -> OtherApi:
    """Return the API of courier-service, which both ports serve."""
    return OtherApi(
        prefix=prefix,
        title="courier-service",
        description=DESCRIPTION,
        customer_routes=(courier_routes(desks), order_routes(desks)),
        staff_routes=(courier_routes(desks), order_routes(desks)),
    )


def courier_routes(desks: Desks) -> APIRouter:
    """Return the routes of couriers and districts."""
    desk = desks.delivery
    router = APIRouter(tags=["couriers"], responses=STAFF_ONLY, route_class=LooseRoute)

    @router.post("/courier", response_model=AddedOut, responses=BODY)
    async def add(staff: Staff, wish: AddIn, name: InQuery = None) -> Response:
        """Add a courier, who is on duty at once."""
        named = either("name", wish.name, name)
        message = AddCourier(new_id(), named, tuple(wish.districts), by=staff.name)
        courier = (await desk.add_courier(message)).courier
        served = [one.name for one in await desk.districts_of(courier)]
        return answer({**named_out(courier.courier_id, courier.name), "districts": served})

    @router.get("/courier", response_model=list[NamedOut], responses=LINKED)
    async def couriers(request: Request, _staff: Staff, cursor: Cursor = None) -> Response:
        """List the couriers who are not retired, at most 500."""
        found = await desk.list_couriers(cursor or 0, MOST_LISTED + 1, retired=False)
        shown, behind = page_of(found, MOST_LISTED, lambda one: one.courier.number)
        links = link_headers(request, "/courier", behind)
        listed = [named_out(one.courier_id, one.name) for one, _ in shown]
        return answer(listed, headers=links)

    @router.post(
        "/courier/create_district",
        response_model=NamedOut,
        responses={
            **BODY,
            **problems(409, because="Another district has this name; it may be retired."),
        },
    )
    async def create_district(
        staff: Staff,
        wish: Annotated[CreateIn | None, Body()] = None,
        district_name: InQuery = None,
    ) -> Response:
        """Add a district; its name is unique, in whatever case."""
        name = either("name", None if wish is None else wish.name, district_name)
        district = await desk.add_district(AddDistrict(new_id(), name, staff.name))
        return answer(named_out(district.district_id, district.name))

    @router.get("/courier/get_districts", response_model=list[NamedOut], responses=LINKED)
    async def districts(request: Request, _staff: Staff, cursor: Cursor = None) -> Response:
        """List the districts that are not retired, at most 500."""
        found = await desk.districts(cursor or 0, MOST_LISTED + 1, retired=False)
        shown, behind = page_of(found, MOST_LISTED, lambda one: one.number)
        links = link_headers(request, "/courier/get_districts", behind)
        return answer([named_out(one.district_id, one.name) for one in shown], headers=links)

    @router.get("/courier/{sid}", response_model=CourierOut, responses=problems(404))
    async def courier(request: Request, _staff: Staff, sid: Sid) -> Response:
        """Show a courier with the order in hand and the figures."""
        async with counting_unknown(desks.limiter, request.scope):
            found, carries = await desk.courier(sid)
        members = {
            **named_out(found.courier_id, found.name),
            "active_order": None if carries is None else await active_order(desks, carries),
            "avg_order_complete_time": found.avg_order_complete_time,
            "avg_day_orders": found.avg_day_orders,
        }
        return answer(members)

    return router


def order_routes(desks: Desks) -> APIRouter:
    """Return the routes of orders."""
    desk = desks.delivery
    router = APIRouter(tags=["orders"], responses=STAFF_ONLY, route_class=LooseRoute)

    @router.post("/order", response_model=PublishedOut, responses=PUBLISHED)
    async def publish(
        staff: Staff,
        wish: Annotated[PublishIn | None, Body()] = None,
        name: InQuery = None,
        district: InQuery = None,
    ) -> Response:
        """Publish an order: a free courier of the district has it at once."""
        named = either("name", None if wish is None else wish.name, name)
        where = either("district", None if wish is None else wish.district, district)
        # That API has no pick-up, so the courier has the order from the start.
        message = Publish(desk.orders.ids.new(), named, where, by=staff.name, picked_up=True)
        delivery = await desk.publish(message)
        members = {
            "order_sid": delivery.order_id,
            "courier_sid": delivery.courier_id,
            **named_out(delivery.order_id, named),
            "status": status_of(delivery),
        }
        return answer(members)

    @router.get("/order/{sid}", response_model=LookOut, responses=STEP)
    async def look(request: Request, _staff: Staff, sid: Sid) -> Response:
        """Show who has an order, and whether it is finished."""
        async with counting_unknown(desks.limiter, request.scope):
            delivery = await desk.find(sid)
        return answer({"courier_sid": delivery.courier_id, "status": status_of(delivery)})

    @router.post("/order/{sid}", response_model=FinishedOut, responses=STEP)
    async def finish(request: Request, staff: Staff, sid: Sid) -> Response:
        """Finish an order; its courier is free again."""
        async with counting_unknown(desks.limiter, request.scope):
            delivery = (await desk.take(Take(sid, "finish", staff.name))).delivery
        return answer({"sid": delivery.order_id, "status": status_of(delivery)})

    return router


async def active_order(desks: Desks, carries: Delivery) -> dict[str, Any]:
    """Return the members of `ActiveOrderOut`; a basket is named after its contents."""
    name = carries.name
    if name is None:
        name = (await desks.orders.find(carries.order_id)).order.drink
    return {"order_id": carries.order_id, "order_name": name}
