"""Rounds of the rush: every server in turn, round after round, and the medians of their figures.

Rule: another server is first in each round, so that other work on the machine affects all alike.
Processor time is the server's alone, without the load's.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

from bench.processes import Server, rush
from bench.report import Row, Scale, at_least, at_most, progress


class Figures(NamedTuple):
    """The figures of a server in one round, or the medians of all."""

    rate: float
    """Full orders per second."""
    cost: float
    """Milliseconds of the server's processor time for each order."""
    polls: float
    """Polls of baristas that found no order, for each order."""


def run_rounds(
    part: str, servers: Mapping[str, Server], scale: Scale, **plan: Any
) -> dict[str, Figures]:
    """Run the rush (the members of `Plan`) against all servers; return their medians."""
    seen: dict[str, list[Figures]] = {side: [] for side in servers}
    for number in range(scale.rounds):
        for side in list(servers)[:: -1 if number % 2 else 1]:
            figures = measured(servers[side], warm=1.0, seconds=scale.seconds, **plan)
            seen[side].append(figures)
            shown = f"{figures.rate:.0f}/s, {figures.cost:.2f} ms, {figures.polls:.1f} idle polls"
            progress(f"{part}, round {number + 1}: {side} {shown}")
    return {side: Figures(*map(median, zip(*seen[side], strict=True))) for side in servers}


def measured(server: Server, **plan: Any) -> Figures:
    """Run the rush once against one server."""
    before = server.processor_seconds()
    result = rush(server, **plan)
    spent = server.processor_seconds() - before
    return Figures(result.per_second, spent / result.placed * 1000, result.polls / result.placed)


def rate_row(
    what: str, ours: Figures, peer: Figures, peer_name: str, least: float | None = None
) -> Row:
    """Return the row that compares the orders per second of two servers."""
    ratio = ours.rate / peer.rate
    target, met = at_least(least, ratio)
    return Row(what, f"{ours.rate:.0f}/s", f"{peer.rate:.0f}/s", peer_name, ratio, target, met)


def cost_row(
    what: str, ours: Figures, peer: Figures, peer_name: str, most: float | None = None
) -> Row:
    """Return the row that compares the processor time that an order costs two servers."""
    ratio = ours.cost / peer.cost
    target, met = at_most(most, ratio)
    figures = f"{ours.cost:.2f} ms", f"{peer.cost:.2f} ms"
    return Row(what, *figures, peer_name, ratio, target, met)
