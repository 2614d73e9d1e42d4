"""`cafe customers`: groups of customers who order and wait, and the summary of their outcomes.

Rule: 200 or nothing. A customer orders once; any other outcome is counted and shown, not retried.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import trio
from rich.box import SIMPLE
from rich.progress_bar import ProgressBar
from rich.table import Table

from cafe.operations.charts import histograms, rank
from cafe.operations.printable import printable
from cafe.players.board import as_text, plain_console, shown
from cafe.players.client import OpenTransport, describe, open_client, open_tcp, wait_until_open
from cafe.players.options import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random


@dataclass(frozen=True, slots=True)
class Visit:
    """The wait of one customer, and the outcome."""

    waited: float
    status: int | None
    """The HTTP status, or None if there was no answer."""
    why: str = ""
    """The limit or the reason that the answer names, or why there was no answer."""

    @property
    def outcome(self) -> str:
        """The kind of outcome, like `200`, `429 waiting` or `no answer: ...`."""
        if self.status is None:
            return f"no answer: {self.why}"
        return f"{self.status} {self.why}".strip()


class Waits(NamedTuple):
    """The waits of the customers who were served, in seconds; percentiles by nearest rank."""

    shortest: float
    median: float
    p95: float
    longest: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcomes of a crowd of customers."""

    customers: int
    served: tuple[float, ...]
    """The waits of the customers who got a 200, shortest first."""
    others: tuple[tuple[str, int], ...]
    """Every other outcome with its count, the most frequent first."""

    @classmethod
    def of(cls, visits: Sequence[Visit], customers: int) -> Summary:
        """Sum up the visits of `customers` customers; those without a visit were still waiting."""
        others = Counter(visit.outcome for visit in visits if visit.status != HTTPStatus.OK)
        if unfinished := customers - len(visits):
            others["gave up at the end"] = unfinished
        served = sorted(visit.waited for visit in visits if visit.status == HTTPStatus.OK)
        return cls(customers, tuple(served), tuple(others.most_common()))

    @property
    def all_served(self) -> bool:
        """True when every customer got a 200."""
        return len(self.served) == self.customers

    @property
    def waits(self) -> Waits | None:
        """The waits of the customers who were served, or None if none were."""
        if not self.served:
            return None
        return Waits(
            self.served[0], rank(self.served, 0.5), rank(self.served, 0.95), self.served[-1]
        )

    def rows(self) -> list[tuple[str, str]]:
        """Return rows of a name and a value; the same names for every summary."""
        others = "\n".join(f"{count} x {outcome}" for outcome, count in self.others)
        waits = self.waits or repeat(None)
        return [
            ("got their coffee (200)", f"{len(self.served)} of {self.customers}"),
            ("got something else", others or "nobody"),
            *(
                (f"wait, {name}", "-" if seconds is None else f"{seconds:.2f} s")
                for name, seconds in zip(Waits._fields, waits, strict=False)
            ),
        ]


def comparison(columns: Mapping[str, Summary]) -> Table:
    """Return a table with the summaries side by side, a column for each title."""
    table = Table("", *columns, box=SIMPLE)
    for rows in zip(*(summary.rows() for summary in columns.values()), strict=True):
        table.add_row(rows[0][0], *(value for _, value in rows))
    return table


def split_into_groups(customers: int, sizes: Span, rng: Random) -> list[int]:
    """Draw group sizes until all customers are in one; the last group may be smaller."""
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
    """The local addresses that the groups connect from, in turn; None lets the system choose."""
    transport: OpenTransport = open_tcp
    arrived: int = 0
    visits: list[Visit] = field(default_factory=list[Visit])

    @property
    def customers(self) -> int:
        """How many customers there are, in all groups."""
        return sum(self.groups)

    @property
    def all_left(self) -> bool:
        """True when every customer has come and gone."""
        return len(self.visits) == self.customers

    async def arrive(self) -> None:
        """Let the groups arrive one after another, and return when every customer has left."""
        async with trio.open_nursery() as nursery:
            for number, size in enumerate(self.groups):
                if number:
                    await trio.sleep(self.pause.draw(self.rng))
                source = self.sources[number % len(self.sources)]
                nursery.start_soon(self._arrive_together, size, source)

    async def _arrive_together(self, size: int, source: str | None) -> None:
        client = open_client(self.url, transport=self.transport, source=source)
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
        """Sum up the outcomes of the customers so far."""
        return Summary.of(self.visits, self.customers)

    def line(self) -> str:
        """Return how many customers wait, were served, or got something else."""
        served = sum(visit.status == HTTPStatus.OK for visit in self.visits)
        text = f"{self.arrived - len(self.visits)} waiting, {served} of {self.customers} served"
        if others := len(self.visits) - served:
            text += f", {others} got something else"
        return text

    def rows(self) -> Table:
        """Draw one bar that fills as customers leave."""
        table = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self.customers, completed=len(self.visits), width=32)
        table.add_row("customers", bar, as_text(self.line()))
        return table


def _reason(response: httpx.Response) -> str:
    """Return the limit or the reason that a problem body names, or an empty string."""
    if response.is_success:
        return ""
    try:
        problem: Any = response.json()
        return str(problem.get("limit") or problem.get("reason") or "")
    except (ValueError, AttributeError, RecursionError):  # not JSON, or not an object
        return ""


async def _play(crowd: Crowd, retry_for: float) -> None:
    async with open_client(crowd.url, transport=crowd.transport, source=crowd.sources[0]) as client:
        await wait_until_open(client, retry_for=retry_for)
    async with shown(crowd):
        await crowd.arrive()


def play(crowd: Crowd, retry_for: float) -> bool:
    """Let a crowd order and wait, and print the outcomes; return whether all got a coffee."""
    trio.run(_play, crowd, retry_for)
    summary = crowd.summary()
    plain_console().print(comparison({"customers": summary}))
    if summary.served:
        print(histograms({"waits of those served, in seconds": summary.served}))
    return summary.all_served
