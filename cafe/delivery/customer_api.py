"""The couriers' own routes, on the customers' port: couriers are on the street.

Rule: routes only translate between HTTP and the desk. Couriers change only their own deliveries,
and see the address only of the one in hand.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from actors import Ref
from cafe.delivery.courier import CourierWish
from cafe.delivery.delivery import Status
from cafe.delivery.desk import DeliveryDesk
from cafe.delivery.messages import ChangeCourier, Step, Take
from cafe.delivery.refusals import CourierRetired, DeliveryConflict, NoCourier, NotYours
from cafe.delivery.schemas import (
    ChangedCourierOut,
    CourierOut,
    DutyIn,
    FailIn,
    HandedOut,
    InHandOut,
)
from cafe.delivery.shown import (
    changed_courier_out,
    courier_out,
    handed_out,
    next_out,
    own_delivery_out,
)
from cafe.delivery.staff_api import NO_LEDGER, OrderId, counting_unknown
from cafe.http.app import BODY, problems
from cafe.http.authentication import Allow, Caller, Role
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.limits.rate_limiter import RateLimiter

CourierCaller = Annotated[Caller, Depends(Allow(Role.COURIER))]
COURIERS_ONLY: Final = {
    **problems(401, 403),
    **problems(
        404,
        because="No courier has this account, or there is no such delivery.",
        refusal=NoCourier(),
    ),
    **problems(429, because="This address is over its limit; the member `limit` says over which."),
    **NO_LEDGER,
}
OWN: Final = {
    **problems(
        403,
        because="The order is another courier's; or the caller's is another role.",
        refusal=NotYours(),
    ),
    **problems(
        409,
        because="`delivery_status`, or `order_status` as long as it is not ready, says where it "
        "stands.",
        refusal=DeliveryConflict(Status.DELIVERED),
    ),
}


def courier_routes(desk: DeliveryDesk, limiter: Ref[RateLimiter]) -> APIRouter:
    """Return the routes that couriers use."""
    router = APIRouter(tags=["delivery"], responses=COURIERS_ONLY, route_class=PlainRoute)

    @router.get("/courier/me", response_model=CourierOut)
    async def me(caller: CourierCaller) -> Response:
        """Show the courier who asks, with the figures."""
        return answer(courier_out(*await desk.courier_of(caller.account_id)))

    @router.patch(
        "/courier/me",
        response_model=ChangedCourierOut,
        responses={**BODY, **problems(409, refusal=CourierRetired())},
    )
    async def change(caller: CourierCaller, wanted: DutyIn) -> Response:
        """Come on duty, which hands out the oldest delivery that waits, or go off duty."""
        courier, _ = await desk.courier_of(caller.account_id)
        wish = CourierWish(on_duty=wanted.on_duty)
        changed = await desk.change_courier(ChangeCourier(courier.courier_id, wish, caller.name))
        return answer(changed_courier_out(*changed))

    @router.get("/courier/me/order", response_model=InHandOut)
    async def in_hand(caller: CourierCaller) -> Response:
        """Show the order in hand, or null."""
        _, carries = await desk.courier_of(caller.account_id)
        return answer({"order": next_out(carries)})

    _add_steps(router, desk, limiter)
    return router


def _add_steps(router: APIRouter, desk: DeliveryDesk, limiter: Ref[RateLimiter]) -> None:
    async def taken(
        request: Request, caller: Caller, order_id: str, step: Step, reason: str | None = None
    ) -> Response:
        courier, _ = await desk.courier_of(caller.account_id)
        async with counting_unknown(limiter, request.scope):
            handed = await desk.take(
                Take(order_id, step, caller.name, reason, only=courier.courier_id)
            )
        return answer(handed_out(handed, own_delivery_out))

    @router.post("/deliveries/{order_id}/pickup", response_model=HandedOut, responses=OWN)
    async def pickup(request: Request, caller: CourierCaller, order_id: OrderId) -> Response:
        """Note that the order is picked up: its lease ends."""
        return await taken(request, caller, order_id, "pick up")

    @router.post("/deliveries/{order_id}/finish", response_model=HandedOut, responses=OWN)
    async def finish(request: Request, caller: CourierCaller, order_id: OrderId) -> Response:
        """Note that the order is delivered; the answer has the next one."""
        return await taken(request, caller, order_id, "finish")

    @router.post("/deliveries/{order_id}/fail", response_model=HandedOut, responses={**BODY, **OWN})
    async def fail(
        request: Request, caller: CourierCaller, order_id: OrderId, why: FailIn
    ) -> Response:
        """Note that the order could not be delivered; the answer has the next one."""
        return await taken(request, caller, order_id, "fail", why.reason)
