"""Accounts: the actor that owns accounts, sign-ins and programs' tokens.

Rule: the database has all of them; memory has a bounded cache, and the counts of tries. A turn
reads after the journal's entries, decides by the models, and commits; it first drops from the cache
what it changes, so neither a crash nor a cancelled turn leaves an old state there. A restart also
forgets the counts of tries.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio

from actors import Actor
from cafe.accounts import account as model
from cafe.accounts import sign_in as family
from cafe.accounts.account import Account, ProgramToken, Status, TokenAction, TokenStatus
from cafe.accounts.lru import Lru
from cafe.accounts.messages import (
    BeginSignIn,
    Candidate,
    ChangeAccount,
    ChangePassword,
    CountAccounts,
    EndTry,
    GrantToken,
    Identify,
    IdentifyProgram,
    MayRegister,
    Refresh,
    Refreshed,
    Register,
    RevokeToken,
    SignedIn,
    SignInTo,
    SignOut,
)
from cafe.accounts.queries import (
    count_managers,
    find_account,
    find_by_email,
    find_granted,
    find_sign_in,
    find_token,
)
from cafe.accounts.refusals import (
    EmailTaken,
    LastManager,
    SignedOut,
    TokenNameTaken,
    TooManyTries,
    UnknownAccount,
    UnknownToken,
    WrongCredentials,
    WrongPassword,
)
from cafe.accounts.sign_in import NeverIssuedError, SignIn, SignInStatus
from cafe.accounts.tables import entry_of, entry_of_sign_in, entry_of_token
from cafe.accounts.throttle import REGISTER_TRIES, REGISTRATIONS, TooManyError, Tries
from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Entry
from cafe.ledger.errors import NotRecorded
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.ledger.reader import Query
from cafe.limits.last_hour import LastHour

R = TypeVar("R")
MOST_KEPT = 4_096
"""The most accounts in the cache, and as many sign-ins and tokens."""


class Accounts(Actor):
    """Owns accounts: who they are, what they may do, and whether they are signed in."""

    def __init__(
        self,
        ledger: Ledger,
        opened: tuple[Journal, None],
        *,
        monotonic: Callable[[], float] = trio.current_time,
        most: int = MOST_KEPT,
    ) -> None:
        """Count tries by the clock `monotonic`; cache `most` accounts, sign-ins and tokens each."""
        self._ledger = ledger
        self._journal, _ = opened
        self._monotonic = monotonic
        self._tries = Tries()
        self._register_tries = LastHour(REGISTER_TRIES)
        self._registrations = LastHour(REGISTRATIONS)
        self._accounts = Lru[str, Account](most)
        self._sign_ins = Lru[str, SignIn](most)
        self._tokens = Lru[str, ProgramToken](most)

    # Authentication

    @Identify.handler
    async def identify(self, message: Identify) -> Account:
        """Return the account of a sign-in that holds; if both are cached, without the database."""
        account = self._accounts.get(message.account_id)
        sign_in = self._sign_ins.get(message.sign_in_id)
        if account is None or sign_in is None or sign_in.account_id != account.account_id:
            account, sign_in = await self._find(message.account_id, message.sign_in_id)
        if account is None or sign_in is None or not _holds(sign_in, account):
            raise SignedOut
        self._keep(account, sign_in)
        return account

    @IdentifyProgram.handler
    async def identify_program(self, message: IdentifyProgram) -> ProgramToken:
        """Return the granted token with a hash; raises SignedOut."""
        token = self._tokens.get(message.token_hash)
        if token is None:
            token = await self._read(partial(find_granted, token_hash=message.token_hash))
        if token is None:
            raise SignedOut
        self._tokens.put(message.token_hash, token)
        return token

    # Accounts

    @MayRegister.handler
    async def may_register(self, message: MayRegister) -> None:
        """Count a try to register; raises TooManyTries or EmailTaken, as Register would."""
        self._check(self._register_tries, message.address)
        self._check(self._registrations, message.address)
        taken = await self._read(partial(find_by_email, folded=message.folded))
        self._register_tries.add(message.address, self._monotonic())
        if taken is not None:
            raise EmailTaken

    @Register.handler
    async def register(self, message: Register) -> Account:
        """Add an account, or return the one with its id; raises EmailTaken or TooManyTries."""
        known = await self._read(partial(find_account, account_id=message.account_id))
        if known is not None:
            return known
        if message.address is not None:
            self._check(self._registrations, message.address)
        account = Account(
            message.account_id,
            message.email,
            message.folded,
            message.username,
            message.role,
            Status.ACTIVE,
            message.password_hash,
            epoch=0,
            registered_at=self._ledger.now(),
        )
        await self._commit(EmailTaken, entry_of(model.begin(account, message.by)))
        if message.address is not None:
            self._registrations.add(message.address, self._monotonic())
        return account

    @ChangeAccount.handler
    async def change_account(self, message: ChangeAccount) -> Account:
        """Change role and status, unless the shop would be left without an active manager."""
        account = await self._read(partial(find_account, account_id=message.account_id))
        if account is None:
            raise UnknownAccount
        changes = model.revise(
            account, message.role, message.status, self._ledger.now(), message.by
        )
        if not changes:
            return account
        after = changes[-1].account
        # Turns run one after the other: no second demotion can pass this check meanwhile.
        if (
            account.is_active_manager
            and not after.is_active_manager
            and await self._read(count_managers) <= 1
        ):
            raise LastManager
        self._accounts.drop(account.account_id)
        await self._journal.commit(*map(entry_of, changes))
        return after

    @ChangePassword.handler
    async def change_password(self, message: ChangePassword) -> None:
        """Change a password, and end all sign-ins of the account but the caller's."""
        account, sign_in = await self._find(message.account_id, message.sign_in_id)
        if account is None or sign_in is None or not _holds(sign_in, account):
            raise SignedOut
        if account.password_hash == message.new_hash:
            return  # a retry
        if account.password_hash != message.old_hash:
            raise WrongPassword  # it was changed since it was checked
        now = self._ledger.now()
        changed = model.change_password(account, message.new_hash, now)
        kept = family.keep(sign_in, changed.account.epoch, now)
        self._forget(account, sign_in)
        await self._journal.commit(entry_of(changed), entry_of_sign_in(kept))

    # Sign-ins

    @BeginSignIn.handler
    async def begin_sign_in(self, message: BeginSignIn) -> Candidate:
        """Count a try, and return the hash for the check of its password; raises TooManyTries."""
        account = await self._read(partial(find_by_email, folded=message.folded))
        try:
            is_known = self._tries.begin(message.folded, message.address, self._monotonic())
        except TooManyError as too_many:
            raise TooManyTries("sign_in", too_many.wait) from None
        if account is None or account.status is not Status.ACTIVE:
            return Candidate("", None, is_known)
        return Candidate(account.account_id, account.password_hash, is_known)

    @EndTry.handler
    def end_try(self, message: EndTry) -> None:
        """Count the end of a try."""
        now, known = self._monotonic(), message.is_known
        self._tries.end(message.folded, message.address, now, is_known=known, right=message.right)

    @SignInTo.handler
    async def sign_in(self, message: SignInTo) -> SignedIn:
        """Sign in, unless the account has changed since its password was checked."""
        account, sign_in = await self._find(message.account_id, message.sign_in_id)
        if account is not None and sign_in is not None:
            return SignedIn(sign_in, account)  # a retry
        if (
            account is None
            or account.status is not Status.ACTIVE
            or account.password_hash != message.password_hash
        ):
            raise WrongCredentials
        now = self._ledger.now()
        of = account.account_id, account.role, account.epoch
        started = family.start(message.sign_in_id, *of, now)
        await self._journal.commit(entry_of_sign_in(started))
        self._keep(account, started.sign_in)
        return SignedIn(started.sign_in, account)

    @Refresh.handler
    async def refresh(self, message: Refresh) -> Refreshed:
        """Return a refresh token's successor; revoke its sign-in if it was spent too long ago."""
        account, sign_in = await self._find(message.account_id, message.sign_in_id)
        if account is None or sign_in is None or not _holds(sign_in, account):
            raise SignedOut
        now = self._ledger.now()
        try:
            given = family.present(sign_in, message.generation, now)
        except NeverIssuedError:
            raise SignedOut from None
        change = family.revoke(sign_in, now) if given is None else given.change
        if change is not None:
            self._sign_ins.drop(sign_in.sign_in_id)
            await self._journal.commit(entry_of_sign_in(change))
            sign_in = change.sign_in
        if given is None:
            raise SignedOut
        self._keep(account, sign_in)
        return Refreshed(sign_in, given.generation, given.issued_at, account)

    @SignOut.handler
    async def sign_out(self, message: SignOut) -> None:
        """End a sign-in, or all of an account; do nothing if it has ended already."""
        account, sign_in = await self._find(message.account_id, message.sign_in_id)
        if account is None or sign_in is None or not _holds(sign_in, account):
            return
        self._forget(account, sign_in)
        now = self._ledger.now()
        entries = [entry_of_sign_in(family.sign_out(sign_in, now))]
        if message.everywhere:
            entries.append(entry_of(model.sign_out_everywhere(account, now)))
        await self._journal.commit(*entries)

    # Programs

    @GrantToken.handler
    async def grant(self, message: GrantToken) -> ProgramToken:
        """Grant a token, or return the one with its id; raises TokenNameTaken."""
        known = await self._read(partial(find_token, token_id=message.token_id))
        if known is not None:
            return known
        now = self._ledger.now()
        asked = message.token_id, message.name, message.role, message.token_hash
        token = ProgramToken(*asked, TokenStatus.GRANTED, now, message.by)
        await self._commit(
            TokenNameTaken, entry_of_token(TokenAction.GRANT, token, now, message.by)
        )
        return token

    @RevokeToken.handler
    async def revoke(self, message: RevokeToken) -> None:
        """Revoke a token; do nothing if it is revoked already. Raises UnknownToken."""
        token = await self._read(partial(find_token, token_id=message.token_id))
        if token is None:
            raise UnknownToken
        if token.status is TokenStatus.REVOKED:
            return
        now = self._ledger.now()
        revoked = token._replace(status=TokenStatus.REVOKED, revoked_at=now)
        self._tokens.drop(token.token_hash)
        await self._journal.commit(entry_of_token(TokenAction.REVOKE, revoked, now, message.by))

    @CountAccounts.handler
    def count(self, _message: CountAccounts) -> dict[str, int]:
        """Return the sizes of the caches."""
        return {
            "accounts": len(self._accounts),
            "sign_ins": len(self._sign_ins),
            "tokens": len(self._tokens),
        }

    # Steps of several turns

    def _check(self, done: LastHour, address: str) -> None:
        wait = done.seconds_until_room(address, self._monotonic())
        if wait:
            raise TooManyTries("register", wait)

    def _keep(self, account: Account, sign_in: SignIn) -> None:
        self._accounts.put(account.account_id, account)
        self._sign_ins.put(sign_in.sign_in_id, sign_in)

    def _forget(self, account: Account, sign_in: SignIn) -> None:
        self._accounts.drop(account.account_id)
        self._sign_ins.drop(sign_in.sign_in_id)

    async def _find(self, account_id: str, sign_in_id: str) -> tuple[Account | None, SignIn | None]:
        return await self._read(partial(find_sign_in, account_id=account_id, sign_in_id=sign_in_id))

    async def _read(self, query: Query[R]) -> R:
        """Read after the commit of all written entries, also of those of a cancelled turn."""
        return await self._ledger.read(query, behind=self._journal)

    async def _commit(self, taken: type[CafeRefusal], *entries: Entry) -> None:
        """Commit; raises `taken` if the database refuses a row because of a unique constraint."""
        try:
            await self._journal.commit(*entries)
        except NotRecorded as refused:
            if refused.reason == "conflict":
                raise taken from None
            raise


def _holds(sign_in: SignIn, account: Account) -> bool:
    """Return whether a sign-in holds: neither it nor all sign-ins of its account were ended."""
    return (
        sign_in.status is SignInStatus.SIGNED_IN
        and account.status is Status.ACTIVE
        and sign_in.epoch == account.epoch
    )
