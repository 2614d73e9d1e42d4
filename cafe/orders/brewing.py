"""How long a coffee takes at the moment, and so how long the queue is in minutes.

Rule: pure. An estimate is None until something is known; it never pretends.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

WEIGHT_OF_NEWEST = 0.1
"""Of an exponentially weighted mean: about the last twenty coffees count."""


@dataclass(slots=True)
class BrewingTime:
    """A running mean of brewing times, in seconds."""

    mean: float | None = None

    def observe(self, seconds: float) -> None:
        """Take in how long one coffee took."""
        if self.mean is None:
            self.mean = seconds
        else:
            self.mean += WEIGHT_OF_NEWEST * (seconds - self.mean)

    def eta_seconds(self, position: int, baristas: int) -> float | None:
        """Estimate the seconds until the order at `position` (1 is next) is ready.

        Each barista serves every `baristas`-th order, so the order is in round number
        ceil(position / baristas). None without a known brewing time or without baristas.
        """
        if self.mean is None or baristas < 1:
            return None
        return ceil(position / baristas) * self.mean

    def remaining_seconds(self, brewed_so_far: float) -> float | None:
        """Estimate the seconds that a coffee still takes which has been brewed for some."""
        return None if self.mean is None else max(0.0, self.mean - brewed_so_far)
