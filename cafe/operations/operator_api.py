"""Routes for operators: `/livez`, `/readyz`, `/actors` and `/metrics`.

Rule: they only read. The two health routes are on both apps, and do not count against any limit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import trio
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from actors import ActorStatistics, Tree
from cafe.http.app import example, problems
from cafe.http.authentication import STAFF_ONLY
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import answer, prefers, unkept
from cafe.http.worker_guards import BARISTAS_ONLY

DISPATCHER = {
    "name": "Dispatcher",
    "state": "running",
    "mailbox_used": 0,
    "mailbox_size": 10_000,
    "handled": 600,
    "refused": 2,
    "crashed": 0,
    "restarts": 0,
    "busy_seconds": None,
}
"""The example in OpenAPI."""
TREE = """\
system, one_for_one
├─ RateLimiter running, queued 0 of 10000, handled 602
└─ Dispatcher running, queued 0 of 10000, handled 600, refused 2
"""
AS_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Every running actor. As text with its groups, if Accept prefers it.",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": TREE}},
    }
}


NotReadyReason = Literal["closing", "actors", "ledger", "standby", "bus", "house"]


class NotReady(CafeRefusal):
    """The shop takes no orders at the moment."""

    status = 503
    members = ("reason",)
    retry_after = 5.0

    def __init__(self, reason: NotReadyReason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


NOT_READY: Final = problems(
    503,
    because="The member `reason` says why: `closing`, `actors` or `ledger`; at a front also `bus` "
    "or `house`, and at a house `standby`.",
    refusal=NotReady("closing", "The shop is closing."),
)


class HealthOut(BaseModel):
    """The check has passed."""

    model_config = example({"status": "ok"})

    status: str


class ActorOut(BaseModel):
    """One actor at this moment."""

    model_config = example(DISPATCHER)

    name: str
    state: str = Field(
        description="running; restarting: crashed, and waiting for its restart; or stopping."
    )
    mailbox_used: int
    mailbox_size: int
    handled: int
    refused: int
    crashed: int
    restarts: int
    busy_seconds: float | None = Field(description="How long it has handled its message so far.")


class ActorsOut(BaseModel):
    """Every running actor, in the order of their start, those of a group together."""

    model_config = example({"actors": [DISPATCHER]})

    actors: list[ActorOut]


def health_routes(why_not_ready: Callable[[], Awaitable[NotReady | None]]) -> APIRouter:
    """Return the health routes; `why_not_ready` returns None if the shop takes orders."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", response_model=HealthOut)
    async def livez() -> Response:
        """Say that the process runs."""
        return answer(HealthOut(status="ok"))

    @router.get("/readyz", response_model=HealthOut, responses=NOT_READY)
    async def readyz() -> Response:
        """Say whether the shop takes orders: its actors answer, and it is not closing."""
        why_not = await why_not_ready()
        if why_not is not None:
            raise why_not
        return answer(HealthOut(status="ok"))

    return router


def operator_routes(
    actors_of: Callable[[], Tree], expose: Callable[[], Awaitable[bytes]]
) -> APIRouter:
    """Return the routes for the worker port: `/actors` and `/metrics`."""
    router = APIRouter(tags=["operation"], responses=BARISTAS_ONLY, dependencies=STAFF_ONLY)

    @router.get("/actors", response_model=ActorsOut, responses=AS_TEXT)
    async def actors(request: Request) -> Response:
        """List what each actor is doing: as JSON, or drawn as a tree for people to read."""
        tree = actors_of()
        varies = {"vary": "accept"}
        accept = ",".join(request.headers.getlist("accept"))
        if prefers(accept, "text/plain", over="application/json"):
            return unkept(PlainTextResponse(f"{tree}\n", headers=varies))
        return answer(ActorsOut(actors=[actor_out(one) for one in tree]), headers=varies)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        """Return the metrics in Prometheus's text format."""
        return unkept(Response(await expose(), media_type=CONTENT_TYPE_LATEST))

    return router


def actor_out(actor: ActorStatistics) -> ActorOut:
    """Return the JSON model of one actor."""
    busy = None if actor.busy_since is None else trio.current_time() - actor.busy_since
    return ActorOut(
        name=actor.name,
        state=actor.state,
        mailbox_used=actor.queued,
        mailbox_size=actor.mailbox,
        handled=actor.handled,
        refused=actor.refused,
        crashed=actor.crashed,
        restarts=actor.restarts,
        busy_seconds=None if busy is None else round(busy, 3),
    )
