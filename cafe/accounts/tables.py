"""The tables of accounts, and how values become rows.

Rule: the conversion loses nothing, and a value's fields are the columns of its table, in the same
order. Passwords and programs' tokens are stored as hashes only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from cafe.accounts import account as model
from cafe.accounts import sign_in as sign_in_model
from cafe.accounts.account import Account, ProgramToken, Status, TokenAction, TokenStatus
from cafe.accounts.sign_in import SignIn, SignInStatus
from cafe.http.authentication import Role
from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import CONSTANT, metadata, one_of

NOT_CUSTOMERS = text("role <> 'customer'")
GRANTED = text("status = 'granted'")

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("email", Text, nullable=False, info=CONSTANT),
    # The database refuses a second account with the same address.
    Column("folded", Text, nullable=False, unique=True, info=CONSTANT),
    Column("username", Text, info=CONSTANT),
    Column("role", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("registered_at", Float(53), nullable=False, info=CONSTANT),
    CheckConstraint(one_of("role", Role), name="role"),
    CheckConstraint(one_of("status", Status), name="status"),
)
# Partial: few accounts are staff.
Index(
    "ix_accounts_staff",
    accounts.c.folded,
    sqlite_where=NOT_CUSTOMERS,
    postgresql_where=NOT_CUSTOMERS,
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("sign_in_id", String(64), primary_key=True),
    Column(
        "account_id", String(64), ForeignKey("accounts.account_id"), nullable=False, info=CONSTANT
    ),
    Column("role", String(16), nullable=False, info=CONSTANT),
    Column("epoch", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", Float(53), nullable=False, info=CONSTANT),
    Column("generation", BigInteger, nullable=False),
    Column("issued_at", Float(53), nullable=False),
    # JSON: a list of times.
    Column("before", Text, nullable=False),
    Column("ended_at", Float(53)),
    CheckConstraint(one_of("status", SignInStatus), name="status"),
)
Index("ix_sign_ins_issued_at", sign_ins.c.issued_at)

program_tokens = Table(
    "program_tokens",
    metadata,
    Column("token_id", String(64), primary_key=True),
    Column("name", Text, nullable=False, info=CONSTANT),
    Column("role", String(16), nullable=False, info=CONSTANT),
    Column("token_hash", String(64), nullable=False, unique=True, info=CONSTANT),
    Column("status", String(16), nullable=False),
    Column("granted_at", Float(53), nullable=False, info=CONSTANT),
    Column("granted_by", Text, info=CONSTANT),
    Column("revoked_at", Float(53)),
    CheckConstraint(one_of("role", (Role.BARISTA, Role.MANAGER)), name="role"),
    CheckConstraint(one_of("status", TokenStatus), name="status"),
)
# Partial: the name of a revoked token can be used again.
Index(
    "ix_program_tokens_name",
    program_tokens.c.name,
    unique=True,
    sqlite_where=GRANTED,
    postgresql_where=GRANTED,
)

token_secret = Table(
    "token_secret",
    metadata,
    # One row if the secret is in no file: made when the ledger is first opened.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
)

_STATUS = Account._fields.index("status")
_BEFORE = SignIn._fields.index("before")
_TOKEN_STATUS = ProgramToken._fields.index("status")


def account_of(row: Sequence[Any]) -> Account:
    """Return the account that a row holds."""
    return Account._make((*row[:_STATUS], Status(row[_STATUS]), *row[_STATUS + 1 :]))


def sign_in_of(row: Sequence[Any]) -> SignIn:
    """Return the sign-in that a row holds."""
    sign_in = SignIn._make(row)
    before = tuple(map(float, json.loads(row[_BEFORE])))
    return sign_in._replace(status=SignInStatus(sign_in.status), before=before)


def token_of(row: Sequence[Any]) -> ProgramToken:
    """Return the program's token that a row holds."""
    at = _TOKEN_STATUS
    return ProgramToken._make((*row[:at], TokenStatus(row[at]), *row[at + 1 :]))


def entry_of(change: model.Change) -> Entry:
    """Return a change of an account as an entry of the ledger."""
    action, before, account, at, by, data = change
    event = Event(
        account.account_id,
        action.value,
        None if before is None else before.value,
        account.status.value,
        at,
        by=by,
        data=data,
    )
    return Entry(event, (Put(accounts, _plain(account)),))


def entry_of_sign_in(change: sign_in_model.Change) -> Entry:
    """Return a change of a sign-in as an entry of the ledger."""
    action, before, sign_in, at, reason = change
    event = Event(
        sign_in.sign_in_id,
        action.value,
        None if before is None else before.value,
        sign_in.status.value,
        at,
        by=sign_in.account_id,
        reason=reason,
    )
    return Entry(event, (Put(sign_ins, _plain(sign_in)),))


def entry_of_token(action: TokenAction, token: ProgramToken, at: float, by: str | None) -> Entry:
    """Return a change of a program's token as an entry of the ledger."""
    before = None if action is TokenAction.GRANT else TokenStatus.GRANTED.value
    event = Event(token.token_id, action.value, before, token.status.value, at, by=by)
    return Entry(event, (Put(program_tokens, _plain(token)),))


def _plain(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a value as a row: drivers do not know enums and tuples."""
    return tuple(map(_plain_one, value))


def _plain_one(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    return json.dumps(value) if isinstance(value, tuple) else value
