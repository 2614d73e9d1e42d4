"""The token of a booking, and the value of the form that cancels it.

Rule: pure. Both are computed from one secret of the house, so no secret is stored per booking, and
a letter can carry the token whenever it is sent. They are keyed BLAKE2b (RFC 7693); the purpose is
hashed, too, so neither can be used as the other.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

SECRET_BYTES: Final = 32
TOKEN_BYTES: Final = 24
LONGEST: Final = 64
"""The most characters of a form's value."""
LEAST_AGE: Final = 2.0
"""Seconds for which a new form is refused: programs press buttons at once."""
MOST_AGE: Final = 3_600.0
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, repr=False)
class BookingTokens:
    """Makes and checks tokens of bookings."""

    secret: bytes

    def token_of(self, booking_id: str) -> str:
        """Return the token that proves that its bearer may see and cancel a booking."""
        return self._signed(b"booking", booking_id)

    def is_right(self, booking_id: str, token: str | None) -> bool:
        """Return whether a token is a booking's; compared in constant time."""
        return _same(self.token_of(booking_id), token or "")

    def form_value(self, booking_id: str, now: float) -> str:
        """Return the value of a form that is issued now."""
        issued = str(int(now * _MICROSECONDS))
        return f"{issued}.{self._signed(b'form', f'{issued} {booking_id}')}"

    def is_ripe(self, booking_id: str, value: str, now: float) -> bool:
        """Return whether a form's value was issued for a booking, LEAST_AGE to MOST_AGE ago."""
        issued, _, signature = value.partition(".")
        if not _same(self._signed(b"form", f"{issued} {booking_id}"), signature):
            return False
        age = now - int(issued) / _MICROSECONDS
        return LEAST_AGE <= age <= MOST_AGE

    def _signed(self, what: bytes, text: str) -> str:
        # No signed text has a surrogate, so a text with a replaced one never matches.
        raw = text.encode(errors="replace")
        digest = blake2b(raw, key=self.secret, digest_size=TOKEN_BYTES, person=what).digest()
        return urlsafe_b64encode(digest).decode()


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode(errors="replace"))
