"""Simulate a Saturday at many shops in virtual time: `python -m bench.simulate [--help]`.

A thousand shops, fifty fronts, a day with two peaks; no server is started, and no time is measured.
It prints how busy each kind of server is in each hour, how many customers wait, and where the first
queue grows; then the same for higher loads, with the same baristas and with enough of them, until a
machine has a queue; and how many cores and how much memory all of it needs.

bench/layout.py has the costs, each with its source, bench/saturday.py the simulation and what it
leaves out. Rule: this module only parses the options and prints the results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from time import process_time

from rich.console import Console
from rich.table import Table

from bench.growth import QUARTER, Queue, find_queues
from bench.layout import SESSIONS, Costs, Kind, Layout, at_rest, cores_for, most_orders
from bench.report import progress
from bench.saturday import HOUR, Day, Sample, Saturday, play
from cafe.operations.charts import draw

MACHINES = tuple(kind for kind in Kind if kind is not Kind.BARISTA)
LOADS = (1, 2, 4, 8, 16, 32, 64)
ENOUGH = 1.4
"""The factor for the layout's baristas with which they are busy for at most three quarters."""
COARSE = 5
"""The factor by which an order stands for more orders where only the first queue is wanted."""


@dataclass(frozen=True, slots=True)
class Question:
    """The inputs of a simulation."""

    saturday: Saturday
    layout: Layout
    costs: Costs
    sample: Sample
    seed: int

    def play(self) -> Day:
        """Simulate the day. Raises ValueError if the servers are too few even without an order."""
        return play(self.saturday, self.layout, self.costs, self.sample, seed=self.seed)

    def times(self, load: int, baristas: float) -> Question:
        """Return it with `load` times the customers, and `baristas` times the baristas.

        It is coarser, with fewer shops rather than larger bundles, since these make stays longer.
        """
        shops = min(
            self.sample.shops * COARSE * load, max(self.sample.shops, self.layout.shops // 4)
        )
        bundle = self.sample.bundle * self.sample.shops * COARSE * load // shops
        return replace(
            self,
            saturday=replace(self.saturday, load=self.saturday.load * load),
            layout=replace(self.layout, baristas=round(self.layout.baristas * baristas)),
            sample=Sample(shops, bundle),
        )

    def peak(self) -> float:
        """Return the orders a second of all shops at the peak."""
        return self.saturday.peak() * self.layout.shops


def at_peak(day: Day, kind: Kind) -> float:
    """Return how busy a kind is in its busiest quarter of an hour."""
    quarters = range(int(day.saturday.seconds / QUARTER))
    account = day.accounts[kind]
    busy = max(account.busy(number * QUARTER, (number + 1) * QUARTER) for number in quarters)
    return min(1.0, busy)  # a coffee counts when it is done, so the share may exceed 1 a little


def of_queue(day: Day, queue: Queue) -> str:
    """Return when a queue grows, when it is gone, and the mean time in it, as text."""
    clock = day.saturday.clock
    begin = clock(queue.begin)
    end = "lasts until the end" if queue.end is None else f"is gone at {clock(queue.end)}"
    who = "customers wait" if queue.kind is Kind.BARISTA else "a request stays there"
    return f"at {queue.kind.named}: at {begin}, and it {end} ({who} for {time_of(queue)})"


def time_of(queue: Queue) -> str:
    """Return the mean time in a queue at its worst."""
    if queue.kind is Kind.BARISTA:
        return f"{queue.stay / 60:.0f} min"
    return f"{queue.stay * 1000:.0f} ms"


def hours_of(day: Day) -> Table:
    """Return the table of a day, with a row for each hour."""
    table = Table(title="A Saturday, by hour: how busy, and who waits")
    for title in ("hour", "orders/s", *(str(kind) for kind in Kind), "waiting", "mean wait"):
        table.add_column(title, justify="right")
    for hour in range(int(day.closed_at / HOUR)):
        begin, end = hour * HOUR, (hour + 1) * HOUR
        came, served = (counts.between(begin, end) for counts in (day.came, day.served))
        if not came and not served:
            break
        busy = [f"{account.busy(begin, end):.1%}" for account in day.accounts.values()]
        wait = day.wait(begin, end) / 60
        table.add_row(
            day.saturday.clock(begin),
            f"{came * day.scale / HOUR:.0f}",
            *busy,
            f"{day.waiting(end):,.0f}",
            f"{wait:.0f} min",
        )
    return table


def picture_of(day: Day) -> str:
    """Draw the customers who wait at the end of each hour."""
    ends = [(number + 1) * HOUR for number in range(int(day.saturday.seconds / HOUR))]
    counts = [round(day.waiting(end)) for end in ends]
    edges = [day.saturday.clock(end)[:2] for end in ends]
    return draw("customers who wait at all shops", edges, counts, max(counts))


def as_load_grows(question: Question, day: Day) -> Iterator[tuple[str, ...]]:
    """Yield rows: load, baristas of a shop, orders/s at the peak, how busy, the first queue.

    First with the layout's baristas, up to four times the load (`day` is the first row); then with
    enough of them until a machine has a queue.
    """
    yield row_of(question, day)
    for load in LOADS[1:3]:
        few = question.times(load, 1.0)
        yield row_of(few, few.play())
    for load in LOADS:
        enough = question.times(load, ENOUGH * load)
        day = enough.play()
        yield row_of(enough, day)
        if any(queue.kind in MACHINES for queue in find_queues(day)):
            return


def row_of(question: Question, day: Day) -> tuple[str, ...]:
    """Return the row of one load."""
    queues = find_queues(day)
    busy = [f"{at_peak(day, kind):.1%}" for kind in Kind]
    first = "none"
    if queues:
        queue, clock = queues[0], day.saturday.clock
        end = "the end" if queue.end is None else clock(queue.end)
        first = f"{queue.kind}, {clock(queue.begin)} to {end}, {time_of(queue)}"
    load, baristas = question.saturday.load, question.layout.baristas
    return (f"x{load:g}", str(baristas), f"{question.peak():.0f}", *busy, first)


def loads_of(question: Question, day: Day) -> Table:
    """Return the table of growing loads."""
    table = Table(title="As the load grows: how busy in the busiest quarter of an hour")
    for title in ("load", "baristas", "orders/s", *(str(kind) for kind in Kind)):
        table.add_column(title, justify="right")
    table.add_column("the first queue, time in it")
    begin = process_time()
    for row in as_load_grows(question, day):
        table.add_row(*row)
        progress(f"load {row[0]}, {row[1]} baristas: {process_time() - begin:.0f} s")
    return table


def layouts_of(question: Question) -> Table:
    """Return the table of cores needed, by how many fronts serve each shop; arithmetic."""
    table = Table(
        title="By how many fronts serve each shop; arithmetic",
        caption="at rest: their time without any order; cores: for the peak, busy for 70 %;\n"
        "most orders/s: without batches, more with them",
    )
    table.add_column("fronts a shop", justify="right")
    for kind in (Kind.FRONT, Kind.REDIS):
        table.add_column(f"{kind} at rest", justify="right")
    for kind in MACHINES:
        table.add_column(f"cores for {kind}", justify="right")
    table.add_column("most orders/s, and by what")
    costs, peak = question.costs, question.peak()
    numbers = {1, 2, 3, 5, question.layout.fronts_a_shop, question.layout.fronts}
    for number in sorted(one for one in numbers if one <= question.layout.fronts):
        layout = replace(question.layout, fronts_a_shop=number)
        most, kind = min((most_orders(kind, costs, layout), kind) for kind in MACHINES)
        table.add_row(
            str(number),
            *(f"{at_rest(kind, costs, layout):.0%}" for kind in (Kind.FRONT, Kind.REDIS)),
            *(str(cores_for(kind, peak, costs, layout)) for kind in MACHINES),
            f"{most:.0f}, {kind}",
        )
    return table


def machines_of(question: Question) -> str:
    """Return the cores, memory and sessions that the peak needs, as text; arithmetic."""
    costs, layout = question.costs, question.layout
    cores = {kind: cores_for(kind, question.peak(), costs, layout) for kind in MACHINES}
    a_core = layout.shops // cores[Kind.HOUSE]
    return (
        f"At the peak {layout.shops:,} houses take {cores[Kind.HOUSE]} cores at 70 %: {a_core} to "
        f"a core, with {a_core * costs.house_mebibytes / 1024:.1f} GiB of memory. The fronts take "
        f"{cores[Kind.FRONT]}, of {layout.fronts} that there are. Each PostgreSQL has "
        f"{layout.shops * SESSIONS / layout.postgresql:,.0f} sessions."
    )


def changed_costs(pairs: list[str], fail: Callable[[str], object]) -> Costs:
    """Return the default costs, changed by pairs of NAME=NUMBER; calls `fail` for a wrong pair."""
    names = {one.name for one in fields(Costs)}
    changes: dict[str, float] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in names:
            fail(f"no cost is named {name}; there are {', '.join(sorted(names))}")
        try:
            changes[name] = float(number)
        except ValueError:
            fail(f"{pair} is not NAME=NUMBER")
    return replace(Costs(), **changes)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; its help has a line for each cost."""
    costs = "\n".join(f"  {one.name:20} {one.default:g}" for one in fields(Costs))
    parser = argparse.ArgumentParser(
        prog="python -m bench.simulate",
        description=__doc__,
        epilog=f"costs (bench/layout.py has their units and sources):\n{costs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    helps = {
        "shops": "each with a house on a core of its own",
        "fronts": "one core each",
        "fronts_a_shop": "how many of the fronts serve one shop",
        "redis": "servers, one thread each",
        "postgresql": "servers",
        "postgresql_cores": "of each server",
        "baristas": "of each shop",
    }
    for one in fields(Layout):
        option = f"--{one.name.replace('_', '-')}"
        text = f"{helps[one.name]}; by default {one.default}"
        parser.add_argument(option, type=positive, default=one.default, metavar="N", help=text)
    add = parser.add_argument
    add("--load", type=float, default=1.0, metavar="X", help="times the customers")
    add(
        "--cost",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change a cost, see below; may be repeated",
    )
    add("--seed", type=int, default=17, metavar="N", help="the same seed plays the same day")
    shops, bundle = Sample()
    add(
        "--sample",
        type=positive,
        default=shops,
        metavar="N",
        help=f"play one shop in N; by default {shops}",
    )
    add(
        "--bundle",
        type=positive,
        default=bundle,
        metavar="N",
        help=f"play one customer and barista in N; by default {bundle}",
    )
    add("--once", action="store_true", help="only the day by hour, not what more load does")
    return parser


def positive(text: str) -> int:
    """Return a number of at least 1; raises ValueError for another text."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main() -> int:
    """Simulate and print; return 1 if the servers are too few even without an order, else 0."""
    parser = make_parser()
    options = parser.parse_args()
    layout = Layout(**{one.name: getattr(options, one.name) for one in fields(Layout)})
    if layout.fronts_a_shop > layout.fronts:
        parser.error("a shop cannot have more fronts than there are")
    costs = changed_costs(options.cost, parser.error)
    sample = Sample(options.sample, options.bundle)
    question = Question(Saturday(load=options.load), layout, costs, sample, options.seed)
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        day = question.play()
    except ValueError as error:
        console.print(f"A queue grows before the first order comes: {error}.")
        console.print(layouts_of(question))
        return 1
    console.print(hours_of(day))
    console.print(picture_of(day), highlight=False)
    queues = [of_queue(day, queue) for queue in find_queues(day)]
    console.print(f"The first queue grows {queues[0]}." if queues else "No queue grows.")
    for queue in queues[1:]:
        console.print(f"Another one grows {queue}.")
    if not options.once:
        console.print(loads_of(question, day))
    console.print(layouts_of(question))
    console.print(machines_of(question))
    return 0


if __name__ == "__main__":
    sys.exit(main())
