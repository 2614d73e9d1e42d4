"""One booking of a table, and what can happen to it.

Rule: pure. The table below *is* the state machine, and a step that it does not have raises
WrongStepError.

    --request--> requested --accept--> accepted
    --book--> accepted
    requested --decline--> declined
    requested --expire--> expired
    requested, accepted --cancel--> cancelled
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from cafe.bookings.period import Period


class Status(StrEnum):
    """Where a booking stands."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """No one decided before it would have begun."""


class Action(StrEnum):
    """What can happen to a booking."""

    REQUEST = "request"
    BOOK = "book"
    """A manager books directly."""
    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    EXPIRE = "expire"


TRANSITIONS: Final[dict[tuple[Status | None, Action], Status]] = {
    (None, Action.REQUEST): Status.REQUESTED,
    (None, Action.BOOK): Status.ACCEPTED,
    (Status.REQUESTED, Action.ACCEPT): Status.ACCEPTED,
    (Status.REQUESTED, Action.DECLINE): Status.DECLINED,
    (Status.REQUESTED, Action.EXPIRE): Status.EXPIRED,
    (Status.REQUESTED, Action.CANCEL): Status.CANCELLED,
    (Status.ACCEPTED, Action.CANCEL): Status.CANCELLED,
}


HELD: Final = frozenset({Status.REQUESTED, Status.ACCEPTED})
"""The statuses in which its guest may still come."""


class WrongStepError(Exception):
    """The booking has a status in which this is not allowed."""

    def __init__(self, status: Status, action: Action) -> None:
        super().__init__(f"{action} while {status}")
        self.status = status
        self.action = action


class Guest(NamedTuple):
    """The contact data of a guest, as they wrote it."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None


class Holding(NamedTuple):
    """A table for a time, which an account can hold only once."""

    account_id: str
    table_id: str
    starts_at: float
    ends_at: float


class Booking(NamedTuple):
    """A booking of a table. Its fields are the columns of its row."""

    booking_id: str
    table_id: str
    table_number: int
    status: Status
    starts_at: float
    ends_at: float
    party: int
    email: str | None
    phone: str | None
    name: str | None
    asked_at: float
    """When it was requested, or booked directly."""
    changed_at: float
    """When its status changed last."""
    reason: str | None = None
    """Why it was declined or cancelled, as the guest is told."""
    step_id: str | None = None
    """The id of the command that made its last step, by which a retry is recognized."""
    account_id: str | None = None
    """The account of the customer who requested it while signed in."""

    @property
    def period(self) -> Period:
        """When the table is booked."""
        return Period(self.starts_at, self.ends_at)

    @property
    def holding(self) -> Holding | None:
        """The table and time that its account holds; None without an account, or once it ended."""
        if self.account_id is None or self.status not in HELD:
            return None
        return Holding(self.account_id, self.table_id, self.starts_at, self.ends_at)

    def may_be_cancelled(self, now: float) -> bool:
        """Return whether its guest may still cancel it."""
        return (self.status, Action.CANCEL) in TRANSITIONS and now < self.starts_at


class BookingChange(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: Status | None
    booking: Booking
    """The booking after the transition."""
    by: str | None = None
    """The manager who did it."""


class Step(NamedTuple):
    """A command that changes the status of a booking."""

    action: Action
    step_id: str | None = None
    """Made by its sender, so that a retry is recognized."""
    by: str | None = None
    reason: str | None = None


def begin(booking: Booking, by: str | None = None) -> BookingChange:
    """Return the first transition of a booking that is requested or booked directly."""
    action = Action.REQUEST if booking.status is Status.REQUESTED else Action.BOOK
    return BookingChange(action, None, booking, by)


def take(step: Step, booking: Booking, now: float) -> BookingChange:
    """Return the transition that a step makes; raises WrongStepError if there is none."""
    status = TRANSITIONS.get((booking.status, step.action))
    if status is None:
        raise WrongStepError(booking.status, step.action)
    after = booking._replace(
        status=status, changed_at=now, reason=step.reason, step_id=step.step_id
    )
    return BookingChange(step.action, booking.status, after, step.by)
