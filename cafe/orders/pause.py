"""A pause: for some time the shop takes no new orders, because a manager says so.

Rule: pure. Time is passed in, in seconds since the Unix epoch. A pause ends by itself: nothing
happens at its end, only each question compares the time.

    open --pause--> paused --resume--> open

A pause that has run out is still `paused` in the table; the next one follows it as if it were
changed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from cafe.orders.queue import CLOCK_AHEAD

SHOP: Final = "shop"
"""The subject of the events. No order has such an id."""


class Intake(StrEnum):
    """Whether new orders are taken, as far as managers have said."""

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
    """No new orders are taken before `until`."""

    until: float
    text: str = ""
    """What customers are told; empty if nothing."""
    by: str | None = None
    """The manager."""

    @property
    def shown_until(self) -> str:
        """`until` as RFC 3339 has it, in UTC."""
        return datetime.fromtimestamp(self.until, UTC).isoformat().replace("+00:00", "Z")


class Pausing(NamedTuple):
    """What managers have said last; a change makes a new one."""

    intake: Intake | None = None
    pause: Pause | None = None
    """While `intake` is paused; it may have run out."""
    since: float = 0.0
    """When this was said."""

    def at(self, now: float) -> Pause | None:
        """Return the pause that holds now; None if new orders are taken.

        One that was begun far in the future does not: by a clock that was wrong, and so is its end.
        """
        if self.pause is None or now >= self.pause.until or self.since > now + CLOCK_AHEAD:
            return None
        return self.pause

    def begin(self, pause: Pause, now: float) -> PauseChange | None:
        """Pause, or change the pause; None if that is the pause already."""
        if pause == self.at(now):
            return None
        return self._changed(PauseAction.PAUSE, pause, now, pause.by)

    def end(self, now: float, by: str | None = None) -> PauseChange | None:
        """Take new orders again; None if they are taken already."""
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
    """What customers are told of pauses: it shows one once that is committed.

    The journal settles it as a reply, before that of the manager.
    """

    def __init__(self, shown: Pausing) -> None:
        """Show what is committed already."""
        self.shown = shown

    def send(self, pausing: Pausing) -> bool:
        """Show what has been committed."""
        self.shown = pausing
        return True

    def fail(self, _error: Exception) -> bool:
        """Leave it as it is: that was not committed, or the shop closes."""
        return False
