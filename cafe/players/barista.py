"""One barista: a real HTTP client that claims the oldest order, brews it and declares it ready.

Rule: a barista holds at most one order, and whatever ends the shift, no order stays in its hands:
it is finished, or given back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import trio

from cafe.players.client import PlayerError, UnexpectedAnswerError, ask_patiently, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from cafe.cli.options import Span

_LONGEST_WAIT = 20  # seconds that one GET /start/ is held; the contract allows 60
_NETWORK_SECONDS = 10.0  # beyond what the shop was asked to wait
_RELEASE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Shift:
    """What the baristas of one shift agree on; times in seconds."""

    brew: Span
    idle: float = math.inf
    """A barista goes home after this long without an order."""
    patience: float = 30.0
    orders: int | None = None
    """They all go home after this many orders; None means never."""
    seed: int | None = None


@dataclass(slots=True, eq=False)
class Barista:
    """One barista and what it is doing now; only the barista itself writes this."""

    name: str
    client: httpx.AsyncClient
    shift: Shift
    rng: Random
    doing: str = "arriving"
    brewing_since: float = 0.0
    brewing_seconds: float = 0.0
    brewed: int = 0
    uncollected: int = 0
    lost: int = 0
    trouble: PlayerError | None = None
    """Why the barista went home early."""

    async def work(self, slots: Iterator[int]) -> None:
        """Brew an order for each slot taken, until there is none, or no order, or no shop."""
        try:
            for _ in slots:
                order = await self._claim()
                if order is None:
                    break
                await self._brew(order)
            self.doing = "gone home"
        except PlayerError as error:
            self.trouble = error
            self.doing = "gave up"

    async def _claim(self) -> dict[str, Any] | None:
        """Return the oldest order, or None when there was none for as long as the shift says.

        All requests for it have the same key: where the answer to one was lost, the shop gives the
        order again that it has given already, and not a second one.
        """
        self.doing = "waiting for an order"
        key = uuid4().hex
        end = trio.current_time() + self.shift.idle
        while (left := end - trio.current_time()) > 0:
            wait = math.ceil(min(left, _LONGEST_WAIT))
            response = await self._ask(
                "GET",
                "/start/",
                params={"wait": wait, "barista": self.name},
                headers={"Idempotency-Key": key},
                timeout=httpx.Timeout(_NETWORK_SECONDS, read=wait + _NETWORK_SECONDS),
            )
            if response.status_code == HTTPStatus.OK:
                return parse(response, "order_id", "number")
            if response.status_code != HTTPStatus.NO_CONTENT:
                raise UnexpectedAnswerError(response, _hint(response))
        return None

    async def _brew(self, order: dict[str, Any]) -> None:
        self.brewing_since = trio.current_time()
        self.brewing_seconds = self.shift.brew.draw(self.rng)
        self.doing = f"brewing {order['number']}"
        if order.get("name"):
            self.doing += f" for {order['name']}"
        body = {"order_id": order["order_id"]}
        try:
            await trio.sleep(self.brewing_seconds)
            response = await self._ask("POST", "/finish/", json=body, timeout=_NETWORK_SECONDS)
        except trio.Cancelled:
            await self._give_back(body)
            raise
        finally:
            self.brewing_seconds = 0.0
        if response.status_code == HTTPStatus.OK:
            collected = parse(response, "collected")["collected"]
            self.brewed += 1
            self.uncollected += not collected
        else:
            self.lost += 1

    async def _give_back(self, body: dict[str, str]) -> None:
        """Release the order, so that the next barista need not wait for its lease to expire."""
        with trio.move_on_after(_RELEASE_SECONDS, shield=True):
            try:
                await self.client.post("/release/", json=body)
            except httpx.RequestError:
                return  # the lease gives it back

    async def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return await ask_patiently(
            self.client,
            method,
            path,
            patience=self.shift.patience,
            on_trouble=self._note,
            **arguments,
        )

    def _note(self, trouble: str) -> None:
        self.doing = f"trying again: {trouble}"


def _hint(response: httpx.Response) -> str:
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return "the shop wants its worker token: --token."
    if response.status_code == HTTPStatus.FORBIDDEN:
        return "the shop does not know this name; list it in its CAFE_WORKER_HOSTS."
    return "is this the café's worker port?"
