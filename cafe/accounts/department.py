"""The department of accounts: its tables for the ledger, and what it offers to the shop.

Rule: the shop serves the routes that are returned here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Executable, Select, delete, or_, select, union_all
from starlette.types import Scope

from actors import Ref
from cafe.accounts import account as model
from cafe.accounts import sign_in as family
from cafe.accounts.account import TokenAction, TokenStatus
from cafe.accounts.accounts import Accounts
from cafe.accounts.checks import CHECKS
from cafe.accounts.customer_api import auth_routes, form_routes
from cafe.accounts.desk import Desk
from cafe.accounts.messages import CountAccounts
from cafe.accounts.passwords import Passwords
from cafe.accounts.queries import (
    find_account,
    find_by_email,
    find_by_name,
    list_accounts,
    list_tokens,
    load_nothing,
)
from cafe.accounts.secret import open_secret
from cafe.accounts.sign_in import REFRESH_SECONDS
from cafe.accounts.staff_api import manager_routes
from cafe.accounts.tables import accounts, program_tokens, sign_ins, token_secret
from cafe.accounts.tokens import tokens_of
from cafe.http.authentication import Authenticate, Caller, bearer_of
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import until_done
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Front, House, Offer

SIGNING_CALL: Final = "accounts.secret"
"""Answered with the secret that signs tokens."""
QUERIES: Final = (find_account, find_by_email, find_by_name, list_accounts, list_tokens)
"""The queries with which the desk reads the ledger."""


def _ended(before: float) -> Select[Any]:
    """Select sign-ins that ended or expired before a time, and tokens that were revoked."""
    expired = sign_ins.c.issued_at < before - REFRESH_SECONDS
    past = select(sign_ins.c.sign_in_id.label("subject")).where(
        or_(sign_ins.c.ended_at < before, expired)
    )
    revoked = select(program_tokens.c.token_id).where(program_tokens.c.revoked_at < before)
    either = union_all(past, revoked).subquery()
    return select(either.c.subject)


def _prune_sign_ins(subjects: Sequence[str]) -> Executable:
    return delete(sign_ins).where(sign_ins.c.sign_in_id.in_(subjects))


def _prune_tokens(subjects: Sequence[str]) -> Executable:
    return delete(program_tokens).where(program_tokens.c.token_id.in_(subjects))


ACCOUNTS = Department(
    "accounts",
    tables=(accounts, sign_ins, program_tokens, token_secret),
    load=load_nothing,
    transitions={
        **transitions_of(
            model.TRANSITIONS,
            {
                model.Action.REGISTER: model.Status.ACTIVE,
                model.Action.ADD: model.Status.ACTIVE,
            },
        ),
        **transitions_of(
            family.TRANSITIONS,
            {family.SignInAction.SIGN_IN: family.SignInStatus.SIGNED_IN},
        ),
        **transitions_of(
            {(TokenStatus.GRANTED, TokenAction.REVOKE): TokenStatus.REVOKED},
            {TokenAction.GRANT: TokenStatus.GRANTED},
        ),
    },
    checks=CHECKS,
    ended=_ended,
    prune=(_prune_sign_ins, _prune_tokens),
    remembers=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsOffer(Offer):
    """The offer of accounts to the shop."""

    desk: Desk


async def open_accounts(house: House) -> AccountsOffer:
    """Start the Accounts actor, and return what accounts offer.

    Waits for the database without a time-out. Raises SettingsError for a secret that cannot be
    used.
    """
    ledger = house.ledger
    secret = await open_secret(house.settings, ledger)
    ref = await house.start(accounts_factory(ledger), name="Accounts")

    async def give_secret() -> bytes:
        return secret

    return replace(
        accounts_offer(Desk(ref, ledger, Passwords(), tokens_of(secret)), house.limiter),
        answers=partial(ref.ask, CountAccounts()),
        refs=(ref,),
        queries=QUERIES,
        calls={SIGNING_CALL: give_secret},
    )


async def reach_accounts(front: Front) -> AccountsOffer:
    """Return what accounts offer at a front, which hashes passwords and asks the house otherwise.

    The house looks up sign-ins and programs' tokens, so a revoked one is refused at once.
    """
    ref = front.house.ref(Accounts)
    given = front.settings.jwt_secret
    if given is None:
        secret = await until_done(partial(front.house.call, SIGNING_CALL, bytes))
    else:
        secret = given.get_secret_value().encode()
    return accounts_offer(Desk(ref, front.ledger, Passwords(), tokens_of(secret)), front.limiter)


def accounts_factory(ledger: Ledger) -> Callable[[], Awaitable[Accounts]]:
    """Return a factory of Accounts, for its start and each restart; waits for the database."""

    async def make() -> Accounts:
        return Accounts(ledger, await ledger.open_until_given_up(ACCOUNTS, None))

    return make


def accounts_offer(desk: Desk, limiter: Ref[RateLimiter]) -> AccountsOffer:
    """Return what accounts offer, given their desk."""
    return AccountsOffer(
        name="accounts",
        customer_routes=(auth_routes(desk, limiter), form_routes(desk, limiter)),
        staff_routes=(
            auth_routes(desk, limiter),
            form_routes(desk, limiter),
            manager_routes(desk),
        ),
        authenticate=authentication(desk),
        desk=desk,
    )


def authentication(desk: Desk) -> Authenticate:
    """Return the function that returns the caller of a request by its Bearer token."""

    async def authenticate(scope: Scope) -> Caller | None:
        token = bearer_of(scope)
        return None if token is None else await desk.authenticate(token)

    return authenticate
