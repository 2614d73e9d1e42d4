"""The refusals about tables and bookings.

Rule: each has a sentence, its data as members, and its HTTP status. None repeats a guest's input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cafe.bookings.book import (
    AcceptedError,
    BegunError,
    BookError,
    ClosedError,
    FullError,
    NumberTakenError,
    SeatsNeededError,
    TooFewSeatsError,
    UnknownBookingError,
    UnknownTableError,
)
from cafe.bookings.booking import Action, Status, WrongStepError
from cafe.bookings.period import PeriodError
from cafe.http.refusals import CafeRefusal, Invalid, Unavailable

MODEL_ERRORS = (BookError, WrongStepError, PeriodError)
"""The errors of the models that become refusals."""
DONE = {
    Action.ACCEPT: "accepted",
    Action.DECLINE: "declined",
    Action.CANCEL: "cancelled",
}


class UnknownTable(CafeRefusal):
    """There is no such table."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such table.")


class UnknownBooking(CafeRefusal):
    """There is no such booking, or the token is not its own: a stranger cannot tell which."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such booking.")


class ForgottenBooking(CafeRefusal):
    """The booking is not in memory: it is over and only in the ledger, or there is none."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The booking has to be looked up.")


class NotBookable(Invalid):
    """It cannot be booked like this."""

    kind = "booking"

    def __init__(self, member: str, sentence: str, place: str = "body") -> None:
        """Name the wrong `member` of the body, or of another `place`, and why it is wrong."""
        super().__init__(sentence, place, member, detail=f"{member}: {sentence}")
        self.member = member
        self.sentence = sentence


class NumberTaken(CafeRefusal):
    """Another table has this number."""

    status = 409

    def __init__(self) -> None:
        super().__init__("Another table has this number.")


class TableUnavailable(CafeRefusal):
    """The table is closed for booking, or has too few seats by now."""

    status = 409
    members = ("reason",)

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class TableTaken(TableUnavailable):
    """Another booking was accepted for this time."""

    def __init__(self) -> None:
        super().__init__("taken", "This table is taken at this time.")


class SeatsNeeded(CafeRefusal):
    """Accepted bookings need more seats; `booking_ids` are theirs."""

    status = 409
    members = ("booking_ids",)

    def __init__(self, booking_ids: list[str]) -> None:
        super().__init__("The parties of accepted bookings need more seats than that.")
        self.booking_ids = booking_ids


class BookingConflict(CafeRefusal):
    """The booking has a status in which this is not allowed, or has begun."""

    status = 409
    members = ("booking_status",)

    def __init__(self, booking_status: Status, sentence: str) -> None:
        super().__init__(sentence)
        self.booking_status = booking_status


class TooManyRequests(CafeRefusal):
    """The address has made its maximum of requests within an hour."""

    status = 429
    members = ("limit",)
    limit = "bookings"

    def __init__(self, most: int, retry_after: float) -> None:
        super().__init__(f"Your address may request {most} tables within an hour.")
        self.retry_after = retry_after


class BookFull(Unavailable):
    """The book has its maximum of open requests."""

    reason = "bookings_full"

    def __init__(self) -> None:
        super().__init__("There are too many open requests; try again later.", 600.0)


def wrong_step(status: Status, action: Action) -> BookingConflict:
    """Return the refusal of a step that a status does not allow."""
    sentence = f"A booking whose status is {status} cannot be {DONE.get(action, action)}."
    return BookingConflict(status, sentence)


def over(status: Status) -> BookingConflict:
    """Return the refusal of a step of a booking that is over."""
    return BookingConflict(status, f"This booking is over; its status stays {status}.")


def refusal_of(error: Exception) -> CafeRefusal:
    """Return the refusal of an error of the models."""
    return _REFUSALS[type(error)](error)


def refusal_of_wish(error: Exception) -> CafeRefusal:
    """Return the refusal of an error about a new booking, naming the wrong member if it is one."""
    make = _OF_WISHES.get(type(error))
    return refusal_of(error) if make is None else make(error)


def _seats(error: TooFewSeatsError) -> str:
    return f"This table has {error.seats} seat{'s' if error.seats != 1 else ''}."


_REFUSALS: Final[Mapping[type[Exception], Callable[[Any], CafeRefusal]]] = {
    UnknownTableError: lambda _: UnknownTable(),
    UnknownBookingError: lambda _: ForgottenBooking(),
    NumberTakenError: lambda _: NumberTaken(),
    ClosedError: lambda _: TableUnavailable("closed", "This table is closed for booking."),
    TooFewSeatsError: lambda error: TableUnavailable("seats", _seats(error)),
    AcceptedError: lambda _: TableTaken(),
    SeatsNeededError: lambda error: SeatsNeeded(error.booking_ids),
    WrongStepError: lambda error: wrong_step(error.status, error.action),
    BegunError: lambda error: BookingConflict(error.status, "This booking has begun."),
    FullError: lambda _: BookFull(),
}
_OF_WISHES: Final[Mapping[type[Exception], Callable[[Any], CafeRefusal]]] = {
    PeriodError: lambda error: NotBookable(error.member, error.sentence),
    TooFewSeatsError: lambda error: NotBookable("party", _seats(error)),
    UnknownTableError: lambda _: NotBookable("table_id", "There is no such table."),
}
