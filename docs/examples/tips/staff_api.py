"""Tips for baristas, over HTTP: what each has got.

Rule: turns HTTP into one question at the jar, and its answer into HTTP.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from cafe.http.app import problems
from cafe.http.reply import answer
from cafe.http.worker_guards import BARISTAS_ONLY
from docs.examples.tips.jar import TipJar
from docs.examples.tips.schemas import TotalsOut


def barista_routes(jar: TipJar) -> APIRouter:
    """Return the route for baristas."""
    router = APIRouter(tags=["tips"], responses={**BARISTAS_ONLY, **problems(503)})

    @router.get("/tips/", response_model=TotalsOut)
    async def totals() -> Response:
        """Show what each barista has got in all."""
        return answer(TotalsOut(cents=await jar.totals()))

    return router
