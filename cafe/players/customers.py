"""`cafe customers`: groups of customers who order, and wait for as long as it takes.

Rule: 200 or nothing. A customer asks once; whatever else comes is counted and told, not retried.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import trio
import typer
from rich.progress_bar import ProgressBar
from rich.table import Table

from cafe.cli.board import as_text, plain_console, shown
from cafe.cli.options import (
    BETWEEN_GROUPS,
    GROUP,
    Groups,
    Patience,
    Pause,
    Seed,
    Span,
    dice,
    parse_address,
    parse_url,
)
from cafe.operations.report import Summary, Visit, comparison, histograms
from cafe.players.client import Door, describe, open_client, tcp, wait_until_open
from cafe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


def split_into_groups(customers: int, sizes: Span, rng: Random) -> list[int]:
    """Draw group sizes until all customers are in one; the last group has who is left."""
    groups: list[int] = []
    while (left := customers - sum(groups)) > 0:
        groups.append(min(left, rng.randint(int(sizes.low), int(sizes.high))))
    return groups


@dataclass(slots=True, eq=False)
class Crowd:
    """All customers of one run; also the board that shows them."""

    groups: Sequence[int]
    pause: Span
    url: str
    rng: Random
    sources: Sequence[str | None] = (None,)
    """The local addresses that the groups come from, in turn; None lets the system choose."""
    door: Door = tcp
    arrived: int = 0
    visits: list[Visit] = field(default_factory=list[Visit])

    @property
    def customers(self) -> int:
        """How many customers there are, in all groups."""
        return sum(self.groups)

    @property
    def all_left(self) -> bool:
        """True when nobody waits any more, or is still to come."""
        return len(self.visits) == self.customers

    async def come(self) -> None:
        """Let the groups arrive one after another, and return when everybody has left."""
        async with trio.open_nursery() as nursery:
            for number, size in enumerate(self.groups):
                if number:
                    await trio.sleep(self.pause.draw(self.rng))
                source = self.sources[number % len(self.sources)]
                nursery.start_soon(self._come_together, size, source)

    async def _come_together(self, size: int, source: str | None) -> None:
        client = open_client(self.url, door=self.door, source=source)
        async with client, trio.open_nursery() as nursery:
            for _ in range(size):
                self.arrived += 1
                nursery.start_soon(self._visit, client, self.arrived)

    async def _visit(self, client: httpx.AsyncClient, number: int) -> None:
        start = trio.current_time()
        status, why = None, ""
        try:
            response = await client.post("/order/", json={"name": f"customer {number}"})
        except httpx.RequestError as error:
            why = describe(error)
        else:
            status, why = response.status_code, _reason(response)
        self.visits.append(Visit(trio.current_time() - start, status, printable(why)))

    def summary(self) -> Summary:
        """Sum up what they got so far."""
        return Summary.of(self.visits, self.customers)

    def line(self) -> str:
        """Say how many wait, were served, or got something else."""
        served = sum(visit.status == HTTPStatus.OK for visit in self.visits)
        text = f"{self.arrived - len(self.visits)} waiting, {served} of {self.customers} served"
        if others := len(self.visits) - served:
            text += f", {others} got something else"
        return text

    def rows(self) -> Table:
        """Draw one bar that fills with those who have left."""
        table = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self.customers, completed=len(self.visits), width=32)
        table.add_row("customers", bar, as_text(self.line()))
        return table


def _reason(response: httpx.Response) -> str:
    """Tell which limit or which reason a problem body names, where it names one."""
    if response.is_success:
        return ""
    try:
        problem: Any = response.json()
        return str(problem.get("limit") or problem.get("reason") or "")
    except (ValueError, AttributeError, RecursionError):  # not JSON, or not an object
        return ""


async def _play(crowd: Crowd, patience: float) -> None:
    async with open_client(crowd.url, door=crowd.door, source=crowd.sources[0]) as client:
        await wait_until_open(client, patience=patience)
    async with shown(crowd):
        await crowd.come()


def customers(
    number: Annotated[int, typer.Argument(min=1, help="How many customers, in all groups.")] = 200,
    *,
    groups: Groups = GROUP,
    pause: Pause = BETWEEN_GROUPS,
    url: Annotated[
        str, typer.Option(parser=parse_url, metavar="URL", help="The shop's client port.")
    ] = "http://127.0.0.1:8080",
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            parser=parse_address,
            metavar="ADDRESS",
            help="A local address to come from; given several times, the groups take turns.",
        ),
    ] = None,
    patience: Patience = 10.0,
    seed: Seed = None,
) -> None:
    """Let groups of customers order in a running shop, and wait for as long as it takes.

    Prints what they got and a histogram of their waits. The exit code is 0 only when every
    customer got a 200.
    """
    rng = dice(seed)
    crowd = Crowd(split_into_groups(number, groups, rng), pause, url, rng, source or (None,))
    trio.run(_play, crowd, patience)
    summary = crowd.summary()
    plain_console().print(comparison({"customers": summary}))
    if summary.served:
        print(histograms({"waits of those served, in seconds": summary.served}))
    if not summary.all_served:
        raise typer.Exit(1)
