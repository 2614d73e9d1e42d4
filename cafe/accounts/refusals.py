"""The refusals about accounts.

Rule: each has a sentence, its data as members, and the HTTP status of the contract. The refusal of
a sign-in does not depend on whether there is such an account.
"""

from __future__ import annotations

from cafe.http.authentication import Unauthenticated
from cafe.http.refusals import CafeRefusal, Unavailable


class WrongCredentials(Unauthenticated):
    """There is no such account, it is disabled, or the password is wrong."""

    def __init__(self) -> None:
        super().__init__("This e-mail address and this password do not go together here.")


class SignedOut(Unauthenticated):
    """The token is not ours, has expired, or its sign-in has ended."""

    def __init__(self) -> None:
        super().__init__("This token does not hold; sign in again.")


class WrongPassword(CafeRefusal):
    """The caller's current password is wrong."""

    status = 403

    def __init__(self) -> None:
        super().__init__("The current password is another one.")


class NotAnAccount(CafeRefusal):
    """The caller has no account: it is a program, or the command line."""

    status = 403

    def __init__(self) -> None:
        super().__init__("This takes an account that has signed in.")


class EmailTaken(CafeRefusal):
    """Another account has this e-mail address."""

    status = 409

    def __init__(self) -> None:
        super().__init__("There is an account with this e-mail address.")


class TokenNameTaken(CafeRefusal):
    """Another token has this name."""

    status = 409

    def __init__(self) -> None:
        super().__init__("There is a token with this name; revoke it first.")


class LastManager(CafeRefusal):
    """The shop would be left without a manager."""

    status = 409

    def __init__(self) -> None:
        super().__init__("This is the last active manager: make another one first.")


class UnknownAccount(CafeRefusal):
    """There is no such account."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such user.")


class UnknownToken(CafeRefusal):
    """No token has this name."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no token with this name.")


class TooManyTries(CafeRefusal):
    """This address has tried to sign in or to register too often, or too often at once."""

    status = 429
    members = ("limit",)

    def __init__(self, limit: str, retry_after: float) -> None:
        super().__init__(_SENTENCES[limit])
        self.limit = limit
        self.retry_after = retry_after


_SENTENCES = {
    "sign_in": "There were too many failed tries to sign in; wait before the next one.",
    "register": "Within an hour your address may try to register 30 times, and make 10 accounts.",
    "passwords": "Too many passwords of your address are being checked at the moment.",
}


class TooManyHashes(Unavailable):
    """Too many passwords wait to be hashed."""

    reason = "busy"

    def __init__(self) -> None:
        super().__init__("Too many are signing in at the moment; try again soon.", 3.0)
