"""A sign-in, and the family of its refresh tokens.

Rule: pure; time is passed in.

Theory of operation (RFC 9700, 4.14.2, with a grace for lost answers). Each refresh token of a
sign-in has a generation, 0, 1, 2 and so on; the newest one is the current one. Presenting the
current token spends it and issues its successor, which is the current one from then on. A client
whose answer was lost, or that has two tabs, presents a spent token again; so does a thief. The
successor tells them apart: while it is unused, or was first used a moment ago, it is returned
again, so all that present a token get one successor. If a spent token is presented later, it or its
successor was stolen: this sign-in ends, and no other.

A token was first used when its successor was issued. So only the times are stored at which the
current token and a few before it were issued: two for most sign-ins, more only for a client that
refreshes again within ten seconds. A token is made of the sign-in's id, a generation and such a
time, so "the same successor" is the same text, and no token is stored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

GRACE_SECONDS: Final = 10.0
"""How long after the first use of its successor a spent token still gets that successor."""
MOST_BEFORE: Final = 16
"""The most tokens before the current one that may be issued again."""
REFRESH_SECONDS: Final = 14 * 86_400
"""How long a refresh token can be used."""


class SignInStatus(StrEnum):
    """Whether a sign-in has been ended; a later epoch of its account ends it, too."""

    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"


class SignInAction(StrEnum):
    """What can happen to a sign-in."""

    SIGN_IN = "sign in"
    REFRESH = "refresh"
    KEEP = "keep"
    """It goes on in the epoch that a new password of its account has begun."""
    SIGN_OUT = "sign out"
    REVOKE = "revoke"
    """A spent token was presented too late."""


TRANSITIONS: Final[dict[tuple[SignInStatus, SignInAction], SignInStatus]] = {
    (SignInStatus.SIGNED_IN, SignInAction.REFRESH): SignInStatus.SIGNED_IN,
    (SignInStatus.SIGNED_IN, SignInAction.KEEP): SignInStatus.SIGNED_IN,
    (SignInStatus.SIGNED_IN, SignInAction.SIGN_OUT): SignInStatus.SIGNED_OUT,
    (SignInStatus.SIGNED_IN, SignInAction.REVOKE): SignInStatus.SIGNED_OUT,
}


class NeverIssuedError(Exception):
    """The sign-in has issued no such token."""


class SignIn(NamedTuple):
    """One sign-in of an account."""

    sign_in_id: str
    account_id: str
    role: str
    """The role in its refresh tokens, even if the account's role has changed."""
    epoch: int
    """The epoch of the account in which it holds."""
    status: SignInStatus
    started_at: float
    generation: int
    """The generation of the current token."""
    issued_at: float
    """When the current token was issued: the one before it was first used then."""
    before: tuple[float, ...] = ()
    """When the tokens before it were issued that may be issued again, the newest first."""
    ended_at: float | None = None


class Change(NamedTuple):
    """One transition that has happened to a sign-in."""

    action: SignInAction
    before: SignInStatus | None
    sign_in: SignIn
    at: float
    reason: str | None = None


class Given(NamedTuple):
    """The successor of a token that was presented."""

    generation: int
    issued_at: float
    change: Change | None
    """None if the successor is issued again."""


def start(sign_in_id: str, account_id: str, role: str, epoch: int, now: float) -> Change:
    """Return the first change of a new sign-in."""
    signed_in = SignInStatus.SIGNED_IN
    sign_in = SignIn(sign_in_id, account_id, role, epoch, signed_in, now, 0, now)
    return Change(SignInAction.SIGN_IN, None, sign_in, now)


def present(sign_in: SignIn, generation: int, now: float) -> Given | None:
    """Return the successor of a refresh token; None if the sign-in has to be revoked.

    Raises NeverIssuedError for a generation that was not issued.
    """
    behind = sign_in.generation - generation
    if generation < 0 or behind < 0:
        raise NeverIssuedError
    if behind == 0:
        change = _moved(_rotated(sign_in, now), SignInAction.REFRESH, now)
        return Given(generation + 1, now, change)
    # The successor is the first of these, and was first used when the second one was issued.
    issued = (*reversed(sign_in.before), sign_in.issued_at)[-behind:]
    if len(issued) < behind or (behind > 1 and now - issued[1] > GRACE_SECONDS):
        return None
    return Given(generation + 1, issued[0], None)


def _rotated(sign_in: SignIn, now: float) -> SignIn:
    used = (sign_in.issued_at, *sign_in.before)
    again = [
        at for at, first in zip(sign_in.before, used, strict=False) if now - first <= GRACE_SECONDS
    ]
    before = (sign_in.issued_at, *again)[:MOST_BEFORE]
    return sign_in._replace(generation=sign_in.generation + 1, issued_at=now, before=before)


def revoke(sign_in: SignIn, now: float) -> Change:
    """End a sign-in of which a spent token was presented too late."""
    return _moved(sign_in._replace(ended_at=now), SignInAction.REVOKE, now, "a spent token")


def sign_out(sign_in: SignIn, now: float) -> Change:
    """End a sign-in."""
    return _moved(sign_in._replace(ended_at=now), SignInAction.SIGN_OUT, now)


def keep(sign_in: SignIn, epoch: int, now: float) -> Change:
    """Continue a sign-in in another epoch of its account."""
    return _moved(sign_in._replace(epoch=epoch), SignInAction.KEEP, now)


def _moved(sign_in: SignIn, action: SignInAction, now: float, reason: str | None = None) -> Change:
    after = TRANSITIONS[sign_in.status, action]
    return Change(action, sign_in.status, sign_in._replace(status=after), now, reason)
