"""Rounds of the rush: every server in turn, round after round, and the medians of what they show.

Rule: who comes first changes with every round, so that what the machine does meanwhile hits all
alike. The processor time is the server's alone: neither the load's nor that of others is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

from bench.processes import Server, rush
from bench.report import Row, Scale, at_least, at_most, progress


class Figures(NamedTuple):
    """What a server showed in one round, or the medians of all."""

    rate: float
    """Full orders per second."""
    cost: float
    """Milliseconds of the server's processor time for each order."""
    polls: float
    """How often a barista found nothing to do, for each order."""


def play(part: str, servers: Mapping[str, Server], scale: Scale, **plan: Any) -> dict[str, Figures]:
    """Play the rush (the members of `Plan`) against all; `part` is told with the progress."""
    seen: dict[str, list[Figures]] = {side: [] for side in servers}
    for number in range(scale.rounds):
        for side in list(servers)[:: -1 if number % 2 else 1]:
            figures = measured(servers[side], warm=1.0, seconds=scale.seconds, **plan)
            seen[side].append(figures)
            told = f"{figures.rate:.0f}/s, {figures.cost:.2f} ms, {figures.polls:.1f} idle polls"
            progress(f"{part}, round {number + 1}: {side} {told}")
    return {side: Figures(*map(median, zip(*seen[side], strict=True))) for side in servers}


def measured(server: Server, **plan: Any) -> Figures:
    """Play the rush once against one server."""
    before = server.processor_seconds()
    result = rush(server, **plan)
    spent = server.processor_seconds() - before
    return Figures(result.per_second, spent / result.placed * 1000, result.polls / result.placed)


def rate_row(
    what: str, ours: Figures, peer: Figures, peer_name: str, least: float | None = None
) -> Row:
    """Compare how many orders a second two servers manage."""
    ratio = ours.rate / peer.rate
    target, met = at_least(least, ratio)
    return Row(what, f"{ours.rate:.0f}/s", f"{peer.rate:.0f}/s", peer_name, ratio, target, met)


def cost_row(
    what: str, ours: Figures, peer: Figures, peer_name: str, most: float | None = None
) -> Row:
    """Compare what an order costs two servers."""
    ratio = ours.cost / peer.cost
    target, met = at_most(most, ratio)
    figures = f"{ours.cost:.2f} ms", f"{peer.cost:.2f} ms"
    return Row(what, *figures, peer_name, ratio, target, met)
