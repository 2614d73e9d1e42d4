"""Stand-ins for the programs that the shop calls, as one ASGI application.

Charges, refunds, notifications, and requests for tables each have one.

Rule: they are idempotent, like real ones: a request with a key takes effect once, however often it
is sent. Their manner of answering can be set at the start, and while they run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import trio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cafe.http.disconnect import unless_disconnected
from cafe.http.reply import DISCONNECTED
from cafe.players.options import Manner

NOTIFICATION_ID: Final = "webhook-id"
NOTIFIED: Final = ("notifications", "bookings")
"""The stand-ins that get notifications; the others get payment requests."""
STATUSES: Final = {Manner.REFUSE: 402, Manner.FAIL: 500, Manner.LOSE: 500}
Members = dict[str, Any]


@dataclass
class StandIn:
    """One provider: its effects by key, and its manner of answering."""

    manner: Manner = Manner.ACCEPT
    done: dict[str, Members] = field(default_factory=dict[str, Members])
    changed: trio.Event = field(default_factory=trio.Event)
    """Set when the manner is changed."""

    def behave(self, manner: Manner) -> None:
        """Answer in another manner from now on; stalled requests are answered."""
        self.manner = manner
        self.changed.set()
        self.changed = trio.Event()

    async def answer(self, request: Request, key: str | None) -> Response:
        """Record the effect of a request with a key, once, and answer in the current manner."""
        body = await request.body()
        if not key:
            return _said(400, "There is no key.")
        try:
            asked = json.loads(body)
        except ValueError:
            return _said(400, "The body is no JSON.")
        manner = self.manner
        known = self.done.get(key)
        if known is not None and known["body"] != asked:
            return _said(422, "This key was used for something else.")
        if manner is Manner.FAIL or (known is None and manner is Manner.REFUSE):
            return _said(STATUSES[manner], f"It was set to {manner}.")
        if known is None:
            known = self.done[key] = {"key": key, "id": uuid4().hex, "body": asked, "asked": 0}
        known["asked"] += 1
        if manner is Manner.STALL:
            await unless_disconnected(request, self.changed.wait)
        if manner is Manner.LOSE:
            return _said(STATUSES[manner], f"It was set to {manner}.")
        return JSONResponse({"id": known["id"], "status": "done"})

    def listed(self) -> list[Members]:
        """Return the effects in sequence: key, id, body, and how often each was asked for."""
        return list(self.done.values())


def _said(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)


@dataclass
class Providers:
    """The stand-ins, and the application that serves them."""

    charges: StandIn = field(default_factory=StandIn)
    refunds: StandIn = field(default_factory=StandIn)
    notifications: StandIn = field(default_factory=StandIn)
    bookings: StandIn = field(default_factory=StandIn)

    def app(self) -> Starlette:
        """Return the application: a path for each, and one that sets the manners."""
        stand_ins = {
            "charges": self.charges,
            "refunds": self.refunds,
            "notifications": self.notifications,
            "bookings": self.bookings,
        }
        routes = [Route("/manners", self._set_manners, methods=["PUT"])]
        for name, stand_in in stand_ins.items():
            header = NOTIFICATION_ID if name in NOTIFIED else "idempotency-key"
            routes.append(_asked_at(f"/{name}", stand_in, header))
            routes.append(_listed_at(f"/{name}", stand_in))
        return Starlette(routes=routes)

    async def _set_manners(self, request: Request) -> Response:
        """Set manners: `{"charges": "stall"}`."""
        try:
            wanted = {name: Manner(one) for name, one in (await request.json()).items()}
        except (ValueError, AttributeError):
            return _said(422, f"A manner is one of {', '.join(Manner)}.")
        for name, manner in wanted.items():
            stand_in = getattr(self, name, None)
            if isinstance(stand_in, StandIn):
                stand_in.behave(manner)
        return Response(status_code=204)


def _asked_at(path: str, stand_in: StandIn, header: str) -> Route:
    async def ask(request: Request) -> Response:
        # A notification may lack this header; its body has the event's id.
        key = request.headers.get(header)
        try:
            if key is None and header == NOTIFICATION_ID:
                key = _event_of(await request.body())
            return await stand_in.answer(request, key)
        except ClientDisconnect:  # the shop was killed while it asked
            return DISCONNECTED

    return Route(path, ask, methods=["POST"])


def _listed_at(path: str, stand_in: StandIn) -> Route:
    async def show(_request: Request) -> Response:
        return JSONResponse(stand_in.listed())

    return Route(path, show, methods=["GET"])


def _event_of(body: bytes) -> str | None:
    try:
        event_id = json.loads(body).get("event_id")
    except (ValueError, AttributeError):
        return None
    return None if event_id is None else str(event_id)
