"""The queries of accounts: for a turn of the actor, and for a request.

Rule: queries only, each by an index, however many accounts there are.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from cafe.accounts.account import MANAGER, Account, ProgramToken, Status, TokenStatus
from cafe.accounts.sign_in import SignIn
from cafe.accounts.tables import (
    account_of,
    accounts,
    program_tokens,
    sign_in_of,
    sign_ins,
    token_of,
    token_secret,
)
from cafe.http.authentication import Role


class Found(NamedTuple):
    """A sign-in and its account, if found."""

    account: Account | None
    sign_in: SignIn | None


def load_nothing(_connection: Connection) -> None:
    """Return None: the actor starts with nothing in memory."""


def find_account(connection: Connection, account_id: str) -> Account | None:
    """Return the account that has this id."""
    row = connection.execute(select(accounts).where(accounts.c.account_id == account_id)).first()
    return None if row is None else account_of(row)


def find_by_email(connection: Connection, folded: str) -> Account | None:
    """Return the account that has this e-mail address, case-folded."""
    row = connection.execute(select(accounts).where(accounts.c.folded == folded)).first()
    return None if row is None else account_of(row)


def find_sign_in(connection: Connection, account_id: str, sign_in_id: str) -> Found:
    """Return an account and one of its sign-ins."""
    ours = (sign_ins.c.sign_in_id == sign_in_id, sign_ins.c.account_id == account_id)
    row = connection.execute(select(sign_ins).where(*ours)).first()
    return Found(find_account(connection, account_id), None if row is None else sign_in_of(row))


def count_managers(connection: Connection) -> int:
    """Count the active managers."""
    # The first condition is that of the partial index of staff: PostgreSQL does not infer it.
    ours = (
        accounts.c.role != Role.CUSTOMER.value,
        accounts.c.role == MANAGER,
        accounts.c.status == Status.ACTIVE.value,
    )
    return connection.execute(select(func.count()).select_from(accounts).where(*ours)).scalar_one()


def find_granted(connection: Connection, token_hash: str) -> ProgramToken | None:
    """Return the granted token with this hash."""
    ours = (
        program_tokens.c.token_hash == token_hash,
        program_tokens.c.status == TokenStatus.GRANTED.value,
    )
    row = connection.execute(select(program_tokens).where(*ours)).first()
    return None if row is None else token_of(row)


def find_token(connection: Connection, token_id: str) -> ProgramToken | None:
    """Return the token that has this id."""
    ours = program_tokens.c.token_id == token_id
    row = connection.execute(select(program_tokens).where(ours)).first()
    return None if row is None else token_of(row)


def find_by_name(connection: Connection, name: str) -> ProgramToken | None:
    """Return the granted token with this name."""
    ours = (
        program_tokens.c.name == name,
        program_tokens.c.status == TokenStatus.GRANTED.value,
    )
    row = connection.execute(select(program_tokens).where(*ours)).first()
    return None if row is None else token_of(row)


def list_accounts(connection: Connection, after: str, most: int, role: str | None) -> list[Account]:
    """Return accounts by their case-folded e-mail addresses; one more than `most`, if any."""
    query = select(accounts).order_by(accounts.c.folded).limit(most + 1)
    if after:
        query = query.where(accounts.c.folded > after)
    if role is not None:
        query = query.where(accounts.c.role == role)
        if role != Role.CUSTOMER:
            query = query.where(accounts.c.role != Role.CUSTOMER.value)  # as above
    return [account_of(row) for row in connection.execute(query)]


MOST_TOKENS = 500


def list_tokens(connection: Connection) -> list[ProgramToken]:
    """Return the granted tokens by name, at most MOST_TOKENS."""
    ours = program_tokens.c.status == TokenStatus.GRANTED.value
    query = select(program_tokens).where(ours).order_by(program_tokens.c.name).limit(MOST_TOKENS)
    return [token_of(row) for row in connection.execute(query)]


def read_secret(connection: Connection) -> bytes | None:
    """Return the secret that signs tokens, if the database has it."""
    return connection.execute(select(token_secret.c.secret)).scalar()
