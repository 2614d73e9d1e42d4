"""The page behind the link of a letter: it asks whether a booking is to be cancelled.

Rule: no script, nothing from elsewhere, and nothing that a guest wrote. No page may be cached or
framed, and no other site gets its address, which has the token.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from cafe.bookings.messages import Found
from cafe.bookings.period import Period
from cafe.http.problem import NO_STORE

STYLE: Final = (
    "body{font:1.1em/1.5 system-ui,sans-serif;color:#222;background:#fff;margin:2rem auto;"
    "max-width:34rem;padding:0 1rem}"
    "button{font:inherit;color:#fff;background:#8a1c1c;border:0;border-radius:.4rem;"
    "padding:.7rem 1.2rem}"
)
_HASH: Final = b64encode(sha256(STYLE.encode()).digest()).decode()
_HEADERS: Final = [
    (b"content-type", b"text/html; charset=utf-8"),
    NO_STORE,
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'".encode(),
    ),
]
_TEMPLATE: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
).get_template("cancel.html")
PRESS_AGAIN: Final = "Nothing was cancelled yet. Please press the button once more."
QUESTION: Final = "Cancel your booking?"
CANCELLED: Final = "Your booking is cancelled"
NOTHING_HERE: Final = "There is no booking to cancel here"
EXPLANATION: Final = (
    "The link is not complete, or the booking has begun, has ended, or was cancelled already."
)


class Form(NamedTuple):
    """The form behind the button."""

    action: str
    token: str
    value: str


def question_page(
    found: Found, zone: ZoneInfo, form: Form, notice: str = "", status: int = 200
) -> Response:
    """Return the page that asks."""
    return _page(QUESTION, [_described(found, zone)], form, notice, status)


def cancelled_page(found: Found, zone: ZoneInfo) -> Response:
    """Return the page that confirms the cancellation."""
    return _page(CANCELLED, [_described(found, zone)])


def nothing_page() -> Response:
    """Return the page of each link that does not work, or no longer works: always the same."""
    return _page(NOTHING_HERE, [EXPLANATION], status=404)


def spoken(period: Period, zone: ZoneInfo) -> str:
    """Return a period in words, in a time zone, with its name."""
    begins = datetime.fromtimestamp(period.starts_at, zone)
    ends = datetime.fromtimestamp(period.ends_at, zone)
    day = "" if ends.date() == begins.date() else f"{ends:%A} {ends.day} {ends:%B %Y}, "
    return (
        f"{begins:%A} {begins.day} {begins:%B %Y}, {begins:%H:%M} ({begins:%Z}) "
        f"to {day}{ends:%H:%M} ({ends:%Z}), {zone.key}"
    )


def _described(found: Found, zone: ZoneInfo) -> str:
    booking, table = found.booking, found.table
    what = f"{str(table).capitalize()}, for {booking.party}"
    return f"{what}: {spoken(booking.period, zone)}."


def _page(
    title: str, lines: list[str], form: Form | None = None, notice: str = "", status: int = 200
) -> Response:
    html = _TEMPLATE.render(
        title=title,
        lines=lines,
        form=form,
        notice=notice,
        style=STYLE,
    )
    response = Response(html, status)
    response.raw_headers = [
        *(field for field in response.raw_headers if field[0] != b"content-type"),
        *_HEADERS,
    ]
    return response
