"""The options of the players' commands, with the parsers of their values.

Rule: a value is parsed once, here; the error for a wrong one is a sentence that repeats it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Annotated

import typer

_NUMBER = r"(\d+(?:\.\d+)?)"
_SPAN = re.compile(rf"{_NUMBER}(?:-{_NUMBER})?")


@dataclass(frozen=True, slots=True)
class Span:
    """A range of numbers, both ends included."""

    low: float
    high: float

    def __str__(self) -> str:
        """Return the text that parses to this span; help shows it as a default."""
        return f"{self.low:g}-{self.high:g}"

    def __truediv__(self, speed: float) -> Span:
        return Span(self.low / speed, self.high / speed)

    def draw(self, rng: Random) -> float:
        """Draw a number from the range, uniformly."""
        return rng.uniform(self.low, self.high)


class Manner(StrEnum):
    """How a stand-in answers."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    """It does nothing, and answers 402."""
    FAIL = "fail"
    """It does nothing, and answers 500."""
    LOSE = "lose"
    """It does what was asked, and answers 500."""
    STALL = "stall"
    """It does what was asked, and answers when the manner is changed."""


AMERICANO = Span(30, 60)
GROUP = Span(100, 200)
BETWEEN_GROUPS = Span(1, 3)


def seeded_random(seed: int | None, name: str = "") -> Random:
    """Return a random generator, the same for the same seed and name; unseeded for None."""
    # S311 warns of `random` in cryptography; this is a simulation.
    return Random(None if seed is None else f"{seed} {name}")  # noqa: S311


def parse_span(value: str | Span) -> Span:
    """Parse `30-60`, or `45` for exactly that; raise BadParameter for anything else.

    typer passes defaults through the parser too, so a Span is accepted as well.
    """
    match = _SPAN.fullmatch(str(value))
    if match is None:
        raise typer.BadParameter(f"{value} is not a range like 30-60.")
    low, high = float(match[1]), float(match[2] or match[1])
    if low > high:
        raise typer.BadParameter(f"{value} begins above its end; did you mean {high:g}-{low:g}?")
    return Span(low, high)


def parse_sizes(value: str | Span) -> Span:
    """Parse a range of whole numbers from 1, like `100-200`; raise BadParameter otherwise."""
    sizes = parse_span(value)
    if sizes.low < 1 or not (sizes.low.is_integer() and sizes.high.is_integer()):
        raise typer.BadParameter(f"{value} is not a range of whole numbers from 1.")
    return sizes


def parse_address(value: str) -> str:
    """Parse an IP address; raise BadParameter for a name or anything else."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise typer.BadParameter(f"{value} is not an IP address like 127.0.0.5.") from None


Brew = Annotated[
    Span,
    typer.Option(
        parser=parse_span,
        metavar="LOW-HIGH",
        help="Seconds that a drink takes, drawn from this range for each.",
    ),
]
Groups = Annotated[
    Span,
    typer.Option(
        parser=parse_sizes,
        metavar="LOW-HIGH",
        help="Customers arrive in groups whose sizes are drawn from this range.",
    ),
]
Pause = Annotated[
    Span,
    typer.Option(
        parser=parse_span,
        metavar="LOW-HIGH",
        help="Seconds between the arrivals of two groups, drawn from this range.",
    ),
]
Speed = Annotated[float, typer.Option(min=0.01, max=10_000, help="Brew this many times as fast.")]
Seed = Annotated[
    int | None, typer.Option(help="Draw the same groups and brewing times in every run.")
]
RetryFor = Annotated[
    float,
    typer.Option(
        min=0, metavar="SECONDS", help="How long to retry while the shop cannot be reached."
    ),
]
