"""Accounts and programs' tokens, with their statuses and transitions.

Rule: pure; time is passed in. The tables below *are* the state machines; an account that is changed
is a new value.

    active --change role, change password, sign out everywhere--> active
    active --disable--> disabled --enable--> active          disabled --change role--> disabled

Each sign-in has the epoch in which its account was. An action that ends all sign-ins of an account
only raises the account's epoch, however many there are.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final, NamedTuple

MANAGER: Final = "manager"
"""The role that the last active manager may not lose."""


class Status(StrEnum):
    """Whether an account can be used."""

    ACTIVE = "active"
    DISABLED = "disabled"


class Action(StrEnum):
    """What can happen to an account."""

    REGISTER = "register"
    """Either REGISTER or ADD is the first action of an account; the table has no rows for them."""
    ADD = "add"
    CHANGE_ROLE = "change role"
    DISABLE = "disable"
    ENABLE = "enable"
    CHANGE_PASSWORD = "change password"  # noqa: S105 - no password
    SIGN_OUT = "sign out everywhere"


TRANSITIONS: Final[dict[tuple[Status, Action], Status]] = {
    (Status.ACTIVE, Action.CHANGE_ROLE): Status.ACTIVE,
    (Status.DISABLED, Action.CHANGE_ROLE): Status.DISABLED,
    (Status.ACTIVE, Action.DISABLE): Status.DISABLED,
    (Status.DISABLED, Action.ENABLE): Status.ACTIVE,
    (Status.ACTIVE, Action.CHANGE_PASSWORD): Status.ACTIVE,
    (Status.ACTIVE, Action.SIGN_OUT): Status.ACTIVE,
}


class Account(NamedTuple):
    """One account."""

    account_id: str
    email: str
    """The address as it is shown."""
    folded: str
    """The address as it is compared: case-folded, its domain in ASCII."""
    username: str | None
    """A display name; not unique, and not for signing in."""
    role: str
    status: Status
    password_hash: str
    epoch: int
    """Sign-ins of earlier epochs have ended."""
    registered_at: float

    @property
    def is_active_manager(self) -> bool:
        """Whether it can manage the shop."""
        return self.role == MANAGER and self.status is Status.ACTIVE


class Change(NamedTuple):
    """One transition that has happened to an account."""

    action: Action
    before: Status | None
    account: Account
    at: float
    by: str | None = None
    data: str | None = None
    """JSON for followers."""


def begin(account: Account, by: str | None) -> Change:
    """Return an account's first change; `by` is the manager who adds it, None if it registers."""
    action = Action.REGISTER if by is None else Action.ADD
    return Change(action, None, account, account.registered_at, by, _role(account.role))


def change_role(account: Account, role: str, now: float, by: str | None) -> Change:
    """Give an account another role."""
    return _moved(account._replace(role=role), Action.CHANGE_ROLE, now, by, _role(role))


def disable(account: Account, now: float, by: str | None) -> Change:
    """Disable an account, and end its sign-ins, so that none holds when it is enabled again."""
    return _moved(_next_epoch(account), Action.DISABLE, now, by)


def enable(account: Account, now: float, by: str | None) -> Change:
    """Enable an account."""
    return _moved(account, Action.ENABLE, now, by)


def change_password(account: Account, password_hash: str, now: float) -> Change:
    """Give an account another password, and end its sign-ins."""
    changed = _next_epoch(account)._replace(password_hash=password_hash)
    return _moved(changed, Action.CHANGE_PASSWORD, now, account.email)


def sign_out_everywhere(account: Account, now: float) -> Change:
    """End all sign-ins of an account."""
    return _moved(_next_epoch(account), Action.SIGN_OUT, now, account.email)


def revise(
    account: Account, role: str | None, status: Status | None, now: float, by: str | None
) -> list[Change]:
    """Return the changes that give an account a role and a status; None leaves one as it is."""
    changes: list[Change] = []
    if role is not None and role != account.role:
        changes.append(change_role(account, role, now, by))
        account = changes[-1].account
    if status is not None and status is not account.status:
        changes.append((disable if status is Status.DISABLED else enable)(account, now, by))
    return changes


def _moved(
    account: Account, action: Action, now: float, by: str | None, data: str | None = None
) -> Change:
    after = TRANSITIONS[account.status, action]
    return Change(action, account.status, account._replace(status=after), now, by, data)


def _next_epoch(account: Account) -> Account:
    return account._replace(epoch=account.epoch + 1)


def _role(role: str) -> str:
    return json.dumps({"role": str(role)})


class TokenStatus(StrEnum):
    """Whether a program's token can be used."""

    GRANTED = "granted"
    REVOKED = "revoked"


class TokenAction(StrEnum):
    """What can happen to a program's token."""

    GRANT = "grant"
    REVOKE = "revoke"


class ProgramToken(NamedTuple):
    """A token for a program; only a hash of its text is stored."""

    token_id: str
    name: str
    """Unique among the granted tokens."""
    role: str
    token_hash: str
    status: TokenStatus
    granted_at: float
    granted_by: str | None = None
    revoked_at: float | None = None
