"""The messages of the Accounts actor, and their answers.

Rule: frozen values only. Every command carries an id that its sender made (of an account, of a
sign-in, of a token), so that it can be retried after a crash and takes effect once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from actors import Message
from cafe.accounts.account import Account, ProgramToken, Status
from cafe.accounts.sign_in import SignIn

if TYPE_CHECKING:
    # Exported: other departments name it as the type of a ref.
    from cafe.accounts.accounts import Accounts as Accounts  # noqa: PLC0414 - see above


class Candidate(NamedTuple):
    """The account of a try to sign in, if there is one."""

    account_id: str
    password_hash: str | None
    """None if there is no such account that is active."""
    is_known: bool
    """Whether the address has signed in to it before; EndTry needs it."""


class Refreshed(NamedTuple):
    """The parts of the refresh token to return, and its account."""

    sign_in: SignIn
    generation: int
    issued_at: float
    account: Account


class SignedIn(NamedTuple):
    """A new sign-in, and its account."""

    sign_in: SignIn
    account: Account


@dataclass(frozen=True, slots=True)
class MayRegister(Message["Accounts", None]):
    """Check before the password is hashed, which is expensive; refused as Register is.

    Counts as a try of the address, whatever its outcome.
    """

    folded: str
    address: str


@dataclass(frozen=True, slots=True)
class Register(Message["Accounts", Account]):
    """Add an account; answered when it is committed. The same id is the same account."""

    account_id: str
    email: str
    folded: str
    username: str | None
    role: str
    password_hash: str
    address: str | None = None
    """The address of the client that registers; None for an account that a manager adds."""
    by: str | None = None
    """The manager who adds it."""


@dataclass(frozen=True, slots=True)
class BeginSignIn(Message["Accounts", Candidate]):
    """Begin a try to sign in; the sender ends each try with EndTry."""

    folded: str
    address: str


@dataclass(frozen=True, slots=True)
class EndTry(Message["Accounts", None]):
    """Count the end of a try."""

    folded: str
    address: str
    is_known: bool
    right: bool | None
    """Whether the password was right; None if it was not checked after all."""


@dataclass(frozen=True, slots=True)
class SignInTo(Message["Accounts", SignedIn]):
    """Sign in with a password that was checked; the same id is the same sign-in."""

    sign_in_id: str
    account_id: str
    password_hash: str
    """The hash against which the password was checked: it may have been changed since."""


@dataclass(frozen=True, slots=True)
class Refresh(Message["Accounts", Refreshed]):
    """Present a refresh token; answered with its successor."""

    account_id: str
    sign_in_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class SignOut(Message["Accounts", None]):
    """End a sign-in, or all of its account."""

    account_id: str
    sign_in_id: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class ChangePassword(Message["Accounts", None]):
    """Change a password, and end all sign-ins but this one."""

    account_id: str
    sign_in_id: str
    old_hash: str
    """The hash against which the current password was checked."""
    new_hash: str


@dataclass(frozen=True, slots=True)
class ChangeAccount(Message["Accounts", Account]):
    """Give an account a role, disable or enable it; None leaves it as it is."""

    account_id: str
    role: str | None = None
    status: Status | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Identify(Message["Accounts", Account]):
    """Return the current state of the account of a sign-in that holds."""

    account_id: str
    sign_in_id: str


@dataclass(frozen=True, slots=True)
class IdentifyProgram(Message["Accounts", ProgramToken]):
    """Return the granted token with this hash."""

    token_hash: str


@dataclass(frozen=True, slots=True)
class GrantToken(Message["Accounts", ProgramToken]):
    """Grant a token to a program; the same id is the same token."""

    token_id: str
    name: str
    role: str
    token_hash: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class RevokeToken(Message["Accounts", None]):
    """Revoke a program's token."""

    token_id: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class CountAccounts(Message["Accounts", dict[str, int]]):
    """Return the sizes of the caches."""
