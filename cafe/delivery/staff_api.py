"""The staff's routes: publish deliveries, look at them, and take them a step further.

Rule: HTTP into one ask of the desk, and its answer into HTTP. An unknown id counts against the
address that asks.
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
from cafe.delivery.manager_api import BODY, NO_LEDGER, Limit
from cafe.delivery.messages import Publish, Step, Take
from cafe.delivery.refusals import UnknownDelivery
from cafe.delivery.schemas import (
    CancelIn,
    DeliveriesOut,
    DeliveryIn,
    DeliveryOut,
    FailIn,
    HandedOut,
    ReassignIn,
)
from cafe.delivery.shown import delivery_out, handed_out
from cafe.http.app import problems
from cafe.http.authentication import Caller, Manager, Staff
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter

MOST_ON_PAGE: Final = 100
OrderId = Annotated[str, Path(description="As the delivery's answer tells it.")]
InStatus = Annotated[Status | None, Query(description="Only those that stand so.")]
STEP: Final[dict[int | str, dict[str, Any]]] = {
    **problems(404),
    **problems(
        409,
        because="`delivery_status`, or `order_status` as long as it is not ready, says where it "
        "stands; or the member `reason` is `no_free_courier`.",
    ),
}
PUBLISHED: Final[dict[int | str, dict[str, Any]]] = {
    201: {"model": DeliveryOut, "description": "A courier has it."},
    202: {"model": DeliveryOut, "description": "It waits for a courier."},
    **BODY,
    **problems(
        409,
        because="The member `reason` is `no_free_courier`: nothing is kept. With `queue` it waits.",
    ),
}


@asynccontextmanager
async def counting_unknown(limiter: Ref[RateLimiter], scope: Scope) -> AsyncGenerator[None]:
    """Count an unknown delivery against the request's address."""
    try:
        yield
    except UnknownDelivery:
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
        behind = found[limit - 1].sequence if len(found) > limit else None
        links = link_headers(request, "/deliveries", behind, status=status, limit=limit)
        return answer({"deliveries": [delivery_out(one) for one in found[:limit]]}, headers=links)

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
