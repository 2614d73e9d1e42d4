"""One courier: duty, districts and figures. The table *is* the state machine of the duty.

Rule: pure. Time is passed in, in seconds since the Unix epoch, and the local day as text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Duty(StrEnum):
    """Whether a courier works."""

    ON = "on_duty"
    OFF = "off_duty"
    RETIRED = "retired"


class DutyAction(StrEnum):
    """What can happen to a courier."""

    ADD = "add courier"
    COME = "come on duty"
    GO = "go off duty"
    LAPSE = "lapse"
    """The lease on an order in hand has expired: off duty."""
    EDIT = "edit courier"
    """Another name, or other districts."""
    DISMISS = "retire courier"
    BRING_BACK = "bring back courier"


DUTY_TRANSITIONS: Final[dict[tuple[Duty | None, DutyAction], Duty]] = {
    (None, DutyAction.ADD): Duty.OFF,
    (Duty.OFF, DutyAction.COME): Duty.ON,
    (Duty.ON, DutyAction.GO): Duty.OFF,
    (Duty.ON, DutyAction.LAPSE): Duty.OFF,
    **{(duty, DutyAction.EDIT): duty for duty in Duty},
    (Duty.ON, DutyAction.DISMISS): Duty.RETIRED,
    (Duty.OFF, DutyAction.DISMISS): Duty.RETIRED,
    (Duty.RETIRED, DutyAction.BRING_BACK): Duty.OFF,
}


class Courier(NamedTuple):
    """One courier, at one moment; a change makes a new one."""

    courier_id: str
    number: int
    """The courier's place in lists: 1, 2, 3 and so on."""
    name: str
    account_id: str | None = None
    """The account with which the courier signs in."""
    duty: Duty = Duty.OFF
    free_since: float = 0.0
    """When the courier last became free, on duty; a different time for each courier."""
    completed: int = 0
    seconds: float = 0.0
    """The sum of the times from assignment to completion."""
    days: int = 0
    """Local days with a completed delivery."""
    last_day: str | None = None
    """The last of these days, as 2026-03-14."""
    districts: tuple[str, ...] = ()
    """The ids of the districts that the courier serves."""

    @property
    def is_on_duty(self) -> bool:
        """Whether the courier may get deliveries."""
        return self.duty is Duty.ON

    @property
    def avg_order_complete_time(self) -> float | None:
        """The average seconds from assignment to completion; None without completions."""
        return round(self.seconds / self.completed, 3) if self.completed else None

    @property
    def avg_day_orders(self) -> float | None:
        """The average of completed deliveries per day that has one; None without any."""
        return round(self.completed / self.days, 2) if self.days else None

    def having_completed(self, seconds: float, day: str) -> Courier:
        """Return the courier with one more completed delivery, on a local day.

        A day that is earlier than the last one, as after a change of the zone, is not counted.
        """
        is_new = self.last_day is None or day > self.last_day
        return self._replace(
            completed=self.completed + 1,
            seconds=self.seconds + max(0.0, seconds),
            days=self.days + is_new,
            last_day=day if is_new else self.last_day,
        )


class DutyChange(NamedTuple):
    """Something that has happened to a courier."""

    action: DutyAction
    before: Duty | None
    courier: Courier
    at: float
    by: str | None = None
    reason: str | None = None
    gone: tuple[str, ...] = ()
    """The ids of the districts that the courier no longer serves."""


class UnknownCourierError(Exception):
    """There is no such courier."""


class AccountTakenError(Exception):
    """Another courier has this account."""


class DismissedError(Exception):
    """A courier who is retired does not come on duty."""


class BusyError(Exception):
    """The courier has an order in hand."""

    def __init__(self, order_id: str) -> None:
        super().__init__("the courier has an order in hand")
        self.order_id = order_id


class CourierWish(NamedTuple):
    """The wanted changes of a courier; None leaves a field as it is."""

    name: str | None = None
    districts: tuple[str, ...] | None = None
    """Ids."""
    on_duty: bool | None = None
    retired: bool | None = None


def moved(
    courier: Courier, action: DutyAction, now: float, by: str | None, reason: str | None = None
) -> DutyChange:
    """Return the change of a courier's duty by an action, which the table must allow."""
    after = courier._replace(duty=DUTY_TRANSITIONS[courier.duty, action])
    return DutyChange(action, courier.duty, after, now, by, reason)
