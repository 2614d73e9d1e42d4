"""Tips for customers, over HTTP: give one.

Rule: turns HTTP into one question at the jar, and its answer into HTTP.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from cafe.http.app import problems
from cafe.http.reply import answer
from docs.examples.tips.jar import TipJar
from docs.examples.tips.messages import GiveTip
from docs.examples.tips.schemas import Id, TipIn, TipOut, tip_out


def customer_routes(jar: TipJar) -> APIRouter:
    """Return the route for customers."""
    router = APIRouter(tags=["tips"], responses=problems(429))

    @router.put(
        "/tips/{tip_id}", response_model=TipOut, responses=problems(400, 404, 408, 409, 413, 503)
    )
    async def give(tip_id: Id, tip: TipIn) -> Response:
        """Give a tip for an order, under an id of your own; the same id again is the same tip."""
        return answer(tip_out(await jar.give(GiveTip(tip_id, tip.order_id, tip.cents))))

    return router
