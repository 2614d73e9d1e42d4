"""A pause: at a manager's command the shop refuses new orders for some time.

Rule: pure. Time is passed in, in seconds since the Unix epoch. A pause ends by itself: nothing
happens at its end; each query compares the time.

    open --pause--> paused --resume--> open

An expired pause is still `paused` in the table; the next one is recorded as a change of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from cafe.orders.queue import CLOCK_AHEAD

SHOP: Final = "shop"
"""The subject of the events. No order has such an id."""


class Intake(StrEnum):
    """Whether new orders are accepted, by the managers' last command."""

    OPEN = "open"
    PAUSED = "paused"


class PauseAction(StrEnum):
    """What a manager does."""

    PAUSE = "pause"
    RESUME = "resume"


PAUSE_TRANSITIONS: Final[dict[tuple[Intake | None, PauseAction], Intake]] = {
    (None, PauseAction.PAUSE): Intake.PAUSED,
    (Intake.OPEN, PauseAction.PAUSE): Intake.PAUSED,
    (Intake.PAUSED, PauseAction.PAUSE): Intake.PAUSED,
    (Intake.PAUSED, PauseAction.RESUME): Intake.OPEN,
}
"""None: no manager has ever paused."""


class Pause(NamedTuple):
    """New orders are refused before `until`."""

    until: float
    text: str = ""
    """The text that customers see; may be empty."""
    by: str | None = None
    """The manager."""

    @property
    def shown_until(self) -> str:
        """`until` as RFC 3339 in UTC."""
        return datetime.fromtimestamp(self.until, UTC).isoformat().replace("+00:00", "Z")


class Pausing(NamedTuple):
    """The managers' last command; a change makes a new value."""

    intake: Intake | None = None
    pause: Pause | None = None
    """Set while `intake` is paused; it may have expired."""
    since: float = 0.0
    """When the command was given."""

    def at(self, now: float) -> Pause | None:
        """Return the pause that holds now; None if new orders are accepted.

        A pause begun far in the future does not hold: the clock was wrong, and so is its end.
        """
        if self.pause is None or now >= self.pause.until or self.since > now + CLOCK_AHEAD:
            return None
        return self.pause

    def begin(self, pause: Pause, now: float) -> PauseChange | None:
        """Return the change that begins this pause, or changes one to it; None if it holds."""
        if pause == self.at(now):
            return None
        return self._changed(PauseAction.PAUSE, pause, now, pause.by)

    def end(self, now: float, by: str | None = None) -> PauseChange | None:
        """Return the change that ends the pause; None if no pause holds."""
        if self.at(now) is None:
            return None
        return self._changed(PauseAction.RESUME, None, now, by)

    def _changed(
        self, action: PauseAction, pause: Pause | None, now: float, by: str | None
    ) -> PauseChange:
        after = Pausing(PAUSE_TRANSITIONS[self.intake, action], pause, now)
        return PauseChange(action, self.intake, after, by)


NEVER_PAUSED: Final = Pausing()


class PauseChange(NamedTuple):
    """One transition that has happened, at `after.since`."""

    action: PauseAction
    before: Intake | None
    after: Pausing
    by: str | None = None


class Sign:
    """The pause that customers see: a change is shown once it is committed.

    The journal settles it as a reply, before the manager's reply.
    """

    def __init__(self, shown: Pausing) -> None:
        """Show `shown`, which is committed already."""
        self.shown = shown

    def send(self, pausing: Pausing) -> bool:
        """Show a change that has been committed."""
        self.shown = pausing
        return True

    def fail(self, _error: Exception) -> bool:
        """Keep showing the former pause: the change was not committed, or the shop closes."""
        return False
