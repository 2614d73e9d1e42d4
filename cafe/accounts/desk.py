"""The desk, which the routes call: it checks passwords, asks Accounts, and reads lists.

Rule: no state, no decisions about accounts. Passwords are hashed here, outside of any turn. After a
crash of Accounts a command is retried: it has an id, so it takes effect once. Each wait for the
ledger has a time-out here.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, TypeVar

from actors import ActorStopped, MailboxFull, Message, Ref
from cafe.accounts.account import Account, ProgramToken, Status
from cafe.accounts.accounts import Accounts
from cafe.accounts.messages import (
    BeginSignIn,
    Candidate,
    ChangeAccount,
    ChangePassword,
    EndTry,
    GrantToken,
    Identify,
    IdentifyProgram,
    MayRegister,
    Refresh,
    Register,
    RevokeToken,
    SignInTo,
    SignOut,
)
from cafe.accounts.passwords import Passwords
from cafe.accounts.queries import (
    find_account,
    find_by_email,
    find_by_name,
    list_accounts,
    list_tokens,
)
from cafe.accounts.refusals import SignedOut, UnknownToken, WrongCredentials, WrongPassword
from cafe.accounts.tokens import (
    PROGRAM_PREFIX,
    Claims,
    Tokens,
    TokenType,
    WrongTokenError,
    hash_of,
    new_program_token,
)
from cafe.http.authentication import Caller, Role
from cafe.ledger.reader import Query
from cafe.ledger.retries import ask_in_time, ledger_time_out
from cafe.ledger.view import LedgerView

R = TypeVar("R")
OPERATOR: Final = "operator"
"""The name of the command line in events."""


class Email(NamedTuple):
    """An e-mail address as it is shown, and as it is compared."""

    shown: str
    folded: str


class TokenPair(NamedTuple):
    """The tokens of a client that signs in or refreshes."""

    access_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Desk:
    """The interface of accounts to their routes."""

    accounts: Ref[Accounts]
    ledger: LedgerView
    passwords: Passwords
    tokens: Tokens

    # Signing in

    async def register(
        self, email: Email, password: str, username: str | None, address: str
    ) -> Account:
        """Add a customer's account; raises EmailTaken or TooManyTries."""
        await self._ask(MayRegister(email.folded, address))
        return await self._add(email, password, username, Role.CUSTOMER, address=address)

    async def sign_in(self, folded: str, password: str, address: str) -> TokenPair:
        """Sign in; raises WrongCredentials, whichever part is wrong, or TooManyTries."""
        candidate = await self._checked(folded, password, address)
        if candidate is None:
            raise WrongCredentials
        sign_in_id = secrets.token_urlsafe(16)
        message = SignInTo(sign_in_id, candidate.account_id, candidate.password_hash or "")
        signed_in = await self._ask(message)
        sign_in, account = signed_in
        return TokenPair(
            self._access(account, sign_in.sign_in_id),
            self.tokens.refresh(
                account.account_id, sign_in.role, sign_in.sign_in_id, 0, sign_in.issued_at
            ),
        )

    async def refresh(self, token: str) -> TokenPair:
        """Return the successor of a refresh token; raises SignedOut."""
        claims = self._read(token, TokenType.REFRESH)
        message = Refresh(claims.account_id, claims.sign_in_id, claims.generation)
        refreshed = await self._ask(message)
        sign_in, generation, issued_at, account = refreshed
        return TokenPair(
            self._access(account, sign_in.sign_in_id),
            self.tokens.refresh(
                account.account_id, sign_in.role, sign_in.sign_in_id, generation, issued_at
            ),
        )

    async def sign_out(self, account_id: str, sign_in_id: str, *, everywhere: bool) -> None:
        """End a sign-in, or all of its account."""
        await self._ask(SignOut(account_id, sign_in_id, everywhere))

    async def account(self, account_id: str, sign_in_id: str) -> Account:
        """Return the account of a sign-in that holds; raises SignedOut."""
        return await self._ask(Identify(account_id, sign_in_id))

    async def change_password(
        self, account: Account, sign_in_id: str, current: str, new: str, address: str
    ) -> None:
        """Change a password; raises WrongPassword, or TooManyTries, since guesses count, too."""
        candidate = await self._checked(account.folded, current, address)
        if candidate is None:
            raise WrongPassword
        old_hash = candidate.password_hash or ""
        new_hash = await self.passwords.hash(new, address)
        await self._ask(ChangePassword(account.account_id, sign_in_id, old_hash, new_hash))

    # Authentication

    async def authenticate(self, token: str) -> Caller:
        """Return the caller of a token, with the role that they have now; raises SignedOut."""
        if token.startswith(PROGRAM_PREFIX):
            program = await self._ask(IdentifyProgram(hash_of(token)))
            return Caller(Role(program.role), None, program.name)
        claims = self._read(token, TokenType.ACCESS, TokenType.OPERATOR)
        if claims.type is TokenType.OPERATOR:
            return Caller(Role.MANAGER, None, OPERATOR)
        account = await self._ask(Identify(claims.account_id, claims.sign_in_id))
        return Caller(Role(account.role), account.account_id, account.email, claims.sign_in_id)

    # Managers

    async def add(
        self, email: Email, password: str, username: str | None, role: Role, by: str
    ) -> Account:
        """Add an account with a role; raises EmailTaken."""
        return await self._add(email, password, username, role, by=by)

    async def change(self, message: ChangeAccount) -> Account:
        """Change an account's role or state; raises UnknownAccount or LastManager."""
        return await self._ask(message)

    async def find(self, folded: str) -> Account | None:
        """Return the account that has an e-mail address."""
        return await self._look(partial(find_by_email, folded=folded))

    async def role_of(self, account_id: str) -> str | None:
        """Return the role of an account that is active; None if there is none."""
        found = await self._look(partial(find_account, account_id=account_id))
        return None if found is None or found.status is not Status.ACTIVE else found.role

    async def page(self, after: str, most: int, role: Role | None) -> list[Account]:
        """Return accounts after an e-mail address, one more than `most` if there are more."""
        return await self._look(partial(list_accounts, after=after, most=most, role=role))

    async def grant(self, name: str, role: Role, by: str) -> tuple[ProgramToken, str]:
        """Grant a program's token, and return it with its text; raises TokenNameTaken."""
        text = new_program_token()
        message = GrantToken(secrets.token_urlsafe(16), name, role.value, hash_of(text), by)
        return await self._ask(message), text

    async def program_tokens(self) -> list[ProgramToken]:
        """Return the tokens that are granted."""
        return await self._look(list_tokens)

    async def revoke(self, name: str, by: str) -> None:
        """Revoke a program's token; raises UnknownToken."""
        token = await self._look(partial(find_by_name, name=name))
        if token is None:
            raise UnknownToken
        await self._ask(RevokeToken(token.token_id, by))

    # How it asks

    async def _add(
        self,
        email: Email,
        password: str,
        username: str | None,
        role: Role,
        *,
        address: str | None = None,
        by: str | None = None,
    ) -> Account:
        message = Register(
            secrets.token_urlsafe(16),
            email.shown,
            email.folded,
            username,
            role.value,
            await self.passwords.hash(password, address),
            address,
            by,
        )
        return await self._ask(message)

    async def _checked(self, folded: str, password: str, address: str) -> Candidate | None:
        """Return the account of a right password, None for a wrong one; counts as a try."""
        candidate = await self._ask(BeginSignIn(folded, address))
        right: bool | None = None
        try:
            right = await self.passwords.matches(password, candidate.password_hash, address)
        finally:
            with suppress(MailboxFull, ActorStopped):
                self.accounts.tell_nowait(EndTry(folded, address, candidate.is_known, right))
        return candidate if right else None

    def _access(self, account: Account, sign_in_id: str) -> str:
        return self.tokens.access(account.account_id, account.role, sign_in_id, self.ledger.now())

    def _read(self, token: str, *types: TokenType) -> Claims:
        try:
            return self.tokens.read(token, self.ledger.now(), *types)
        except WrongTokenError:
            raise SignedOut from None

    async def _look(self, query: Query[R]) -> R:
        with ledger_time_out():
            return await self.ledger.read(query)

    async def _ask(self, message: Message[Accounts, R]) -> R:
        return await ask_in_time(self.accounts, message)
