"""Tips over HTTP: customers give, baristas look.

Rule: turns HTTP into one question at the jar, and its answer into HTTP.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from cafe.http.app import problems
from cafe.http.reply import answer
from cafe.http.worker_guards import BARISTAS_ONLY
from docs.examples.tips.jar import TipJar
from docs.examples.tips.messages import GiveTip
from docs.examples.tips.schemas import Id, TipIn, TipOut, TotalsOut, tip_out


def giving_routes(jar: TipJar) -> APIRouter:
    """Give the route for customers."""
    router = APIRouter(tags=["tips"], responses=problems(429))

    @router.put(
        "/tips/{tip_id}", response_model=TipOut, responses=problems(400, 404, 408, 409, 413, 503)
    )
    async def give(tip_id: Id, tip: TipIn) -> Response:
        """Give a tip for an order; again, under the id that its giver has made up, is the same."""
        return answer(tip_out(await jar.give(GiveTip(tip_id, tip.order_id, tip.cents))))

    return router


def total_routes(jar: TipJar) -> APIRouter:
    """Give the route for baristas."""
    router = APIRouter(tags=["tips"], responses={**BARISTAS_ONLY, **problems(503)})

    @router.get("/tips/", response_model=TotalsOut)
    async def totals() -> Response:
        """Show what each barista has got in all."""
        return answer(TotalsOut(cents=await jar.totals()))

    return router
