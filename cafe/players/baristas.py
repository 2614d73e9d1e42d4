"""`cafe baristas`: the baristas of one shift, their board, and the command.

Rule: the staff only takes them in and shows them; what a barista does is in barista.py.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import trio
import typer
from rich.progress_bar import ProgressBar
from rich.table import Table

from cafe.cli.board import as_text, shown
from cafe.cli.options import AMERICANO, Brew, Patience, Seed, Speed, dice, parse_url
from cafe.players.barista import Barista, Shift
from cafe.players.client import Door, PlayerError, open_client, tcp, wait_until_open

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_ROWS = 12


@dataclass(slots=True, eq=False)
class Staff:
    """The baristas of one shift; also the board that shows them."""

    number: int
    url: str
    shift: Shift
    token: str | None = None
    door: Door = tcp
    baristas: list[Barista] = field(default_factory=list[Barista])

    async def work(self) -> None:
        """Open a client for each barista, and return when all of them have gone home."""
        orders = self.shift.orders
        slots = itertools.count() if orders is None else iter(range(orders))
        async with trio.open_nursery() as nursery:
            for number in range(1, self.number + 1):
                nursery.start_soon(self._employ, f"barista-{number}", slots)

    async def _employ(self, name: str, slots: Iterator[int]) -> None:
        async with open_client(self.url, door=self.door, token=self.token) as client:
            barista = Barista(name, client, self.shift, dice(self.shift.seed, name))
            self.baristas.append(barista)
            await barista.work(slots)

    @property
    def trouble(self) -> PlayerError | None:
        """Why a barista went home early, if one did."""
        return next((each.trouble for each in self.baristas if each.trouble), None)

    def line(self) -> str:
        """Say how many orders are done and how many are being brewed."""
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
    async with open_client(staff.url, door=staff.door, token=staff.token) as client:
        await wait_until_open(client, patience=staff.shift.patience)
    async with shown(staff):
        await staff.work()


def baristas(
    number: Annotated[int, typer.Argument(min=1, help="How many baristas.")] = 10,
    *,
    brew: Brew = AMERICANO,
    speed: Speed = 1.0,
    url: Annotated[
        str, typer.Option(parser=parse_url, metavar="URL", help="The shop's worker port.")
    ] = "http://127.0.0.1:8081",
    token: Annotated[
        str | None, typer.Option(envvar="CAFE_WORKER_TOKEN", help="The shop's worker token.")
    ] = None,
    orders: Annotated[
        int | None,
        typer.Option(
            min=1, help="Go home after this many orders, all together.", show_default="never"
        ),
    ] = None,
    idle: Annotated[
        float,
        typer.Option(
            min=0.1, help="Go home after this many seconds without an order.", show_default="never"
        ),
    ] = math.inf,
    patience: Patience = 30.0,
    seed: Seed = None,
) -> None:
    """Let baristas work in a running shop until Ctrl-C.

    Each claims the oldest order, brews it and declares it ready, over a connection of its own.
    With --orders or --idle they go home by themselves. An order in hand is given back at Ctrl-C.
    """
    shift = Shift(brew / speed, idle, patience, orders, seed)
    staff = Staff(number, url, shift, token)
    trio.run(_play, staff)
    print(staff.line())
    if staff.trouble is not None:
        raise staff.trouble
