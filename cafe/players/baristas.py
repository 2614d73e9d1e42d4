"""`cafe baristas`: baristas who claim the oldest order, brew it and declare it ready.

Rule: a barista holds at most one order. However its shift ends, it keeps none: the order is
finished, or released.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import trio
from rich.progress_bar import ProgressBar
from rich.table import Table

from cafe.players.board import as_text, shown
from cafe.players.client import (
    OpenTransport,
    PlayerError,
    UnexpectedAnswerError,
    open_client,
    open_tcp,
    parse,
    request_with_retries,
    wait_until_open,
)
from cafe.players.options import Span, seeded_random

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_LONGEST_WAIT = 20  # seconds that one GET /start/ is held; the contract allows 60
_NETWORK_SECONDS = 10.0  # beyond what the shop was asked to wait
_RELEASE_SECONDS = 1.0
_MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class Shift:
    """How the baristas of one shift work; times in seconds."""

    brew: Span
    idle: float = math.inf
    """A barista goes home after this long without an order."""
    retry_for: float = 30.0
    """A barista gives up after this long without an answer from the shop."""
    orders: int | None = None
    """They all go home after this many orders; None means never."""
    seed: int | None = None


@dataclass(slots=True, eq=False)
class Barista:
    """One barista and what it is doing now; only its own task changes this."""

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
    error: PlayerError | None = None
    """Why the barista gave up."""

    async def work(self, slots: Iterator[int]) -> None:
        """Brew one order for each slot, until no slot or no order is left, or the shop is gone."""
        try:
            for _ in slots:
                order = await self._claim()
                if order is None:
                    break
                await self._brew(order)
            self.doing = "gone home"
        except PlayerError as error:
            self.error = error
            self.doing = "gave up"

    async def _claim(self) -> dict[str, Any] | None:
        """Claim the oldest order and return it, or None after `shift.idle` seconds without one.

        All requests of one claim have the same Idempotency-Key: if the answer to one was lost, the
        next gets the same order, and not a second one.
        """
        self.doing = "waiting for an order"
        key = uuid4().hex
        end = trio.current_time() + self.shift.idle
        while (left := end - trio.current_time()) > 0:
            wait = math.ceil(min(left, _LONGEST_WAIT))
            response = await self._request(
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
            response = await self._request("POST", "/finish/", json=body, timeout=_NETWORK_SECONDS)
        except trio.Cancelled:
            await self._release(body)
            raise
        finally:
            self.brewing_seconds = 0.0
        if response.status_code == HTTPStatus.OK:
            collected = parse(response, "collected")["collected"]
            self.brewed += 1
            self.uncollected += not collected
        else:
            self.lost += 1

    async def _release(self, body: dict[str, str]) -> None:
        """Release the order, so that the next barista does not wait for the lease to expire."""
        with trio.move_on_after(_RELEASE_SECONDS, shield=True):
            try:
                await self.client.post("/release/", json=body)
            except httpx.RequestError:
                return  # it is released when the lease expires

    async def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return await request_with_retries(
            self.client,
            method,
            path,
            retry_for=self.shift.retry_for,
            on_retry=self._show_retry,
            **arguments,
        )

    def _show_retry(self, reason: str) -> None:
        self.doing = f"retrying: {reason}"


def _hint(response: httpx.Response) -> str:
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return "the shop wants its worker token: --token."
    if response.status_code == HTTPStatus.FORBIDDEN:
        return "the shop does not know this name; list it in its CAFE_WORKER_HOSTS."
    return "is this the café's worker port?"


@dataclass(slots=True, eq=False)
class Staff:
    """The baristas of one shift; also the board that shows them."""

    number: int
    url: str
    shift: Shift
    token: str | None = None
    transport: OpenTransport = open_tcp
    baristas: list[Barista] = field(default_factory=list[Barista])

    async def work(self) -> None:
        """Open a client for each barista, and return when all of them have gone home."""
        orders = self.shift.orders
        slots = itertools.count() if orders is None else iter(range(orders))
        async with trio.open_nursery() as nursery:
            for number in range(1, self.number + 1):
                nursery.start_soon(self._run_barista, f"barista-{number}", slots)

    async def _run_barista(self, name: str, slots: Iterator[int]) -> None:
        async with open_client(self.url, transport=self.transport, token=self.token) as client:
            barista = Barista(name, client, self.shift, seeded_random(self.shift.seed, name))
            self.baristas.append(barista)
            await barista.work(slots)

    @property
    def error(self) -> PlayerError | None:
        """Why a barista gave up, if one did."""
        return next((each.error for each in self.baristas if each.error), None)

    def line(self) -> str:
        """Return how many baristas are brewing and how many orders are done."""
        brewing = sum(each.brewing_seconds > 0 for each in self.baristas)
        return f"{brewing} of {len(self.baristas)} baristas brewing, {self._done()}"

    def rows(self) -> Table:
        """Draw a row for each barista, up to twelve, and the line below."""
        table = Table.grid(padding=(0, 1))
        now = trio.current_time()
        for each in self.baristas[:_MOST_ROWS]:
            total = each.brewing_seconds
            completed = min(now - each.brewing_since, total) if total else 0.0
            bar = ProgressBar(total=total or 1.0, completed=completed, width=20)
            table.add_row(each.name, bar, f"{each.brewed:4}", as_text(each.doing))
        if len(self.baristas) > _MOST_ROWS:
            table.add_row("...", "", "", f"and {len(self.baristas) - _MOST_ROWS} more")
        table.add_row("all", "", "", self.line())
        return table

    def _done(self) -> str:
        brewed = sum(each.brewed for each in self.baristas)
        text = f"{brewed} brewed"
        if uncollected := sum(each.uncollected for each in self.baristas):
            text += f", {uncollected} of them not collected"
        if lost := sum(each.lost for each in self.baristas):
            text += f", {lost} cancelled meanwhile"
        return text


async def _play(staff: Staff) -> None:
    async with open_client(staff.url, transport=staff.transport, token=staff.token) as client:
        await wait_until_open(client, retry_for=staff.shift.retry_for)
    async with shown(staff):
        await staff.work()


def play(staff: Staff) -> None:
    """Let baristas work until all have gone home; raise PlayerError if one gave up."""
    trio.run(_play, staff)
    print(staff.line())
    if staff.error is not None:
        raise staff.error
