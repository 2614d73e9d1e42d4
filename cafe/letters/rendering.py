"""The rendering of letters: a message in plain text and HTML, from a booking's facts.

Rule: headers have only the bare address, and words of ours; the text of a guest or a manager
appears only in the body, on one line, and is escaped in HTML. The message is always ASCII.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from typing import Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cafe.bookings.messages import Facts
from cafe.letters.letter import Kind, Letter

POLICY: Final = SMTP.clone(cte_type="7bit")
LONGEST_REASON: Final = 1_000


class AddressError(ValueError):
    """No letter can be sent to an address."""


class Words(NamedTuple):
    """The words of a kind of letter."""

    subject: str
    opening: str
    links: bool = False
    """Whether it has the link by which a guest cancels."""


WORDS: Final = {
    Kind.RECEIVED: Words(
        "We have received your request for a table",
        "thank you for your request. The table is not yours yet: we will write to you as soon as "
        "we have decided.",
        links=True,
    ),
    Kind.ACCEPTED: Words(
        "Your table is booked", "your table is booked. We look forward to seeing you.", links=True
    ),
    Kind.DECLINED: Words(
        "We cannot offer you the table",
        "we are sorry: we cannot offer you the table that you asked for.",
    ),
    Kind.CANCELLED: Words("Your booking is cancelled", "your booking is cancelled."),
    Kind.EXPIRED: Words(
        "Your request for a table has expired",
        "we are sorry: your request was not decided in time. No table is booked for you.",
    ),
}


@dataclass(frozen=True, slots=True)
class Stationery:
    """The parts that all letters of a shop share."""

    sender: Address
    zone: ZoneInfo
    public_url: str
    """The URL of the customers' port for guests."""

    def message(self, letter: Letter, facts: Facts, reason: str | None) -> str:
        """Return the message of a letter; raises AddressError if its address is unusable."""
        words = WORDS[letter.kind]
        message = EmailMessage(policy=POLICY)
        message["From"] = self.sender
        message["To"] = recipient(letter.address)
        message["Subject"] = words.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(letter.created_at, UTC))
        message["Message-ID"] = letter.message_id
        message["Auto-Submitted"] = "auto-generated"
        said = {
            "subject": words.subject,
            "opening": words.opening,
            "name": one_line(facts.name or ""),
            "table": facts.table,
            "party": facts.party,
            "begins": moment(facts.starts_at, self.zone),
            "ends": moment(facts.ends_at, self.zone),
            "zone": self.zone.key,
            "reason": one_line(reason or "")[:LONGEST_REASON],
            "link": self._link(facts) if words.links else "",
            "booking_id": facts.booking_id,
        }
        message.set_content(templates().get_template("letter.txt").render(said))
        html = templates().get_template("letter.html").render(said)
        message.add_alternative(html, subtype="html")
        return message.as_bytes().decode("ascii")

    def _link(self, facts: Facts) -> str:
        path = f"/bookings/{quote(facts.booking_id, safe='')}/cancel"
        return f"{self.public_url.rstrip('/')}{path}?token={quote(facts.token, safe='')}"


def recipient(address: str) -> Address:
    """Return an address for a header; raises AddressError unless it is a bare one in ASCII."""
    try:
        found = Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):  # IndexError: an empty one
        raise AddressError(address) from None
    if not address.isascii() or not address.isprintable() or found.addr_spec != address:
        raise AddressError(address)
    if not found.username or not found.domain:
        raise AddressError(address)
    return found


def moment(seconds: float, zone: ZoneInfo) -> str:
    """Return a time in words, such as "Friday 4 December 2026, 19:00 CET"."""
    local = datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M %Z}"


def one_line(text: str) -> str:
    """Return text on one line, with spaces for characters that are not printable."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


@cache
def templates() -> Environment:
    """Return the environment of the templates; it is made once."""
    return Environment(
        loader=PackageLoader("cafe.letters"),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
