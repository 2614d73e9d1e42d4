"""The ids of orders: each is signed, so that a guess is refused without a look-up.

Rule: pure, and the secret never leaves this object. An id is a random text and a MAC of it (keyed
BLAKE2b, RFC 7693), which only a shop on the same ledger can make. A client that knows an id may
look at its order and cancel it, so ids must not be guessable: the random text has 96 bits. The MAC
has 48 only, since a guess that passes costs one look-up.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

SECRET_BYTES: Final = 32
RANDOM_BYTES: Final = 12
MAC_BYTES: Final = 6
UNSIGNED_LENGTH: Final = 16
"""Characters of the random part, and of a whole id before ids were signed."""


class OrderIds:
    """Makes ids, and recognizes those that it may have made."""

    __slots__ = ("_has_unsigned", "_secret")

    def __init__(self, secret: bytes, *, has_unsigned: bool = False) -> None:
        """Sign with `secret`; `has_unsigned`: some orders are older than the signatures."""
        self._secret = secret
        self._has_unsigned = has_unsigned

    def new(self) -> str:
        """Return a new id that cannot be guessed: 24 characters of A-Z, a-z, 0-9, `-` and `_`."""
        random = secrets.token_urlsafe(RANDOM_BYTES)
        return random + self._sign(random)

    def may_exist(self, order_id: str) -> bool:
        """Return whether there may be such an order; False for any other text.

        The time that this takes does not depend on the right signature.
        """
        if not order_id.isascii():
            return False
        random, signature = order_id[:UNSIGNED_LENGTH], order_id[UNSIGNED_LENGTH:]
        if not signature:
            return self._has_unsigned and len(random) == UNSIGNED_LENGTH
        return compare_digest(signature, self._sign(random))

    def _sign(self, random: str) -> str:
        mac = blake2b(random.encode("ascii"), key=self._secret, digest_size=MAC_BYTES)
        return urlsafe_b64encode(mac.digest()).decode("ascii")
