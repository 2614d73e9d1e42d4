"""A sign-in, and the family of refresh tokens that comes from it.

Rule: pure; time is passed in.

Theory of operation (RFC 9700, 4.14.2, with a grace for lost answers). Each refresh token of a
sign-in has a generation, 0, 1, 2 and so on; the newest one is the current one. Presenting the
current token spends it and issues its successor, which is the current one from then on. A client
whose answer was lost, or that has two tabs, presents a spent token again; a thief does so, too. The
successor tells them apart: as long as it is unused, or was first used a moment ago, the same
successor is given again, so all who present a token get one successor. Presented later than that, a
spent token was stolen, or its successor was: the sign-in ends, and no other one.

Two times are enough for that. The current token was issued when the one before it was first used,
and that one when the one before it was. Tokens are made of the sign-in's id, a generation and the
time at which that was issued, so "the same successor" is the same text, and no token is kept.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

GRACE_SECONDS: Final = 10.0
"""How long after the first use of its successor a spent token still gets that successor."""
REFRESH_SECONDS: Final = 14 * 86_400
"""How long a refresh token can be used."""


class SignInStatus(StrEnum):
    """Whether a sign-in has been ended by itself."""

    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"


class SignInAction(StrEnum):
    """What can happen to a sign-in."""

    SIGN_IN = "sign in"
    REFRESH = "refresh"
    KEEP = "keep"
    """It goes on in the epoch that its account's new password has begun."""
    SIGN_OUT = "sign out"
    REVOKE = "revoke"
    """A token was used that cannot have been the client's own."""


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
    """As its refresh tokens say, whatever the account's role has become."""
    epoch: int
    """The account's, for which it holds."""
    status: SignInStatus
    started_at: float
    generation: int
    """Of the current token."""
    issued_at: float
    """When the current token was issued: the one before it was first used then."""
    before_issued_at: float
    """When the one before it was issued; for generation 0, as `issued_at`."""
    ended_at: float | None = None


class Change(NamedTuple):
    """One transition that has happened to a sign-in."""

    action: SignInAction
    before: SignInStatus | None
    sign_in: SignIn
    at: float
    reason: str | None = None


class Given(NamedTuple):
    """The token that is given for the one that was presented."""

    generation: int
    issued_at: float
    change: Change | None
    """None where it is given again."""


def start(sign_in_id: str, account_id: str, role: str, epoch: int, now: float) -> Change:
    """Sign an account in."""
    signed_in = SignInStatus.SIGNED_IN
    sign_in = SignIn(sign_in_id, account_id, role, epoch, signed_in, now, 0, now, now)
    return Change(SignInAction.SIGN_IN, None, sign_in, now)


def present(sign_in: SignIn, generation: int, now: float) -> Given | None:
    """Return the successor of a refresh token; None if the sign-in has to be revoked.

    Raises NeverIssuedError for a generation that is still to come.
    """
    behind = sign_in.generation - generation
    if generation < 0 or behind < 0:
        raise NeverIssuedError
    if behind == 0:
        rotated = sign_in._replace(
            generation=generation + 1, issued_at=now, before_issued_at=sign_in.issued_at
        )
        return Given(generation + 1, now, _moved(rotated, SignInAction.REFRESH, now))
    if behind == 1:
        return Given(sign_in.generation, sign_in.issued_at, None)
    if behind == 2 and now - sign_in.issued_at <= GRACE_SECONDS:  # noqa: PLR2004 - the one before
        return Given(generation + 1, sign_in.before_issued_at, None)
    return None


def revoke(sign_in: SignIn, now: float) -> Change:
    """End a sign-in of which a token was used that cannot have been the client's own."""
    return _moved(sign_in._replace(ended_at=now), SignInAction.REVOKE, now, "a spent token")


def sign_out(sign_in: SignIn, now: float) -> Change:
    """End a sign-in."""
    return _moved(sign_in._replace(ended_at=now), SignInAction.SIGN_OUT, now)


def keep(sign_in: SignIn, epoch: int, now: float) -> Change:
    """Let a sign-in go on in another epoch of its account."""
    return _moved(sign_in._replace(epoch=epoch), SignInAction.KEEP, now)


def _moved(sign_in: SignIn, action: SignInAction, now: float, reason: str | None = None) -> Change:
    after = TRANSITIONS[sign_in.status, action]
    return Change(action, sign_in.status, sign_in._replace(status=after), now, reason)
