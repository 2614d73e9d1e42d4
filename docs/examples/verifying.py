"""Verify a notification of the café with Python's standard library (Standard Webhooks)."""

import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256

TOLERANCE = 300.0
"""The greatest age of a notification, in seconds: an older one may be a replayed copy."""


def is_genuine(
    secret: str, headers: Mapping[str, str], body: bytes, now: float | None = None
) -> bool:
    """Return whether a request was signed with the secret, and within the tolerance.

    `headers` has names in lower case, and `body` is as it was received, byte for byte.
    """
    sent_at = headers["webhook-timestamp"]
    now = time.time() if now is None else now
    if not sent_at.isdecimal() or abs(now - int(sent_at)) > TOLERANCE:
        return False
    key = b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{sent_at}.".encode() + body
    expected = "v1," + b64encode(hmac.digest(key, signed, sha256)).decode()
    given = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(one.encode(), expected.encode()) for one in given)
