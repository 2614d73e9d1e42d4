"""The import of accounts, with the hashes of their passwords unchanged.

Rule: an account is added by the same transitions as one that a manager adds. A hash is accepted
only if checking it costs no more than a sign-in may cost.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from argon2 import Parameters, extract_parameters
from argon2.exceptions import InvalidHashError
from sqlalchemy import Connection, select

from cafe.accounts import account as model
from cafe.accounts.account import Account, Status
from cafe.accounts.tables import accounts, entry_of
from cafe.ledger.department import Entry
from cafe.ledger.importing import WHO, Times, WrongRecordError

MOST_MEMORY: Final = 2**20
"""The most KiB for checking a password; two are checked at a time."""
MOST_PASSES: Final = 100
MOST_WORK: Final = 4 * 2**20
"""KiB times passes: some seconds of a processor. argon2-cffi's own parameters make 196,608."""
LONGEST_HASH: Final = 512
# The PHC string format, with the parts that argon2 writes, in its two versions.
_HASH: Final = re.compile(
    r"\$argon2(i|d|id)\$(v=(16|19)\$)?m=[0-9]{1,10},t=[0-9]{1,10},p=[0-9]{1,8}"
    r"\$[A-Za-z0-9+/]{11,128}\$[A-Za-z0-9+/]{16,256}"
)
NO_HASH: Final = "A password's hash is argon2's, as in $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH."


class Person(NamedTuple):
    """An account to import."""

    account_id: str
    email: str
    """The address as it is shown."""
    folded: str
    """The address as it is compared."""
    username: str | None
    role: str
    password_hash: str
    disabled: bool
    registered_at: float | None


class AccountsImport:
    """Makes the entries of imported accounts, beside the stored ones."""

    def __init__(self, connection: Connection, times: Times) -> None:
        """Read the stored accounts."""
        known = connection.execute(select(accounts.c.account_id, accounts.c.folded)).all()
        self.ids = {account_id for account_id, _ in known}
        """The ids of all accounts, stored and imported."""
        self._folded = {folded for _, folded in known}
        self._times = times

    def add(self, person: Person) -> list[Entry]:
        """Return the entries of a new account; raises WrongRecordError."""
        if person.account_id in self.ids:
            raise WrongRecordError("Another user has this id.", "user_id")
        if person.folded in self._folded:
            raise WrongRecordError("Another user has this e-mail address.", "email")
        check_hash(person.password_hash)
        self.ids.add(person.account_id)
        self._folded.add(person.folded)
        at = self._times.now if person.registered_at is None else person.registered_at
        account = Account(
            person.account_id,
            person.email,
            person.folded,
            person.username,
            person.role,
            Status.ACTIVE,
            person.password_hash,
            epoch=0,
            registered_at=at,
        )
        changes = [model.begin(account, WHO)]
        if person.disabled:
            changes.append(model.disable(account, at, WHO))
        return [entry_of(one) for one in changes]


def check_hash(password_hash: str) -> None:
    """Raise WrongRecordError unless a hash is argon2's, and can be checked in bounded time."""
    if len(password_hash) > LONGEST_HASH or _HASH.fullmatch(password_hash) is None:
        raise WrongRecordError(NO_HASH, "password_hash")
    try:
        costs: Parameters = extract_parameters(password_hash)
    except (InvalidHashError, ValueError):
        raise WrongRecordError(NO_HASH, "password_hash") from None
    if (
        costs.memory_cost > MOST_MEMORY
        or costs.time_cost > MOST_PASSES
        or costs.memory_cost * costs.time_cost > MOST_WORK
        or costs.memory_cost < 8 * costs.parallelism
        or not (costs.time_cost and costs.parallelism)
    ):
        raise WrongRecordError(
            "Checking this hash would hold up all who sign in: it may take 1 GiB of memory, 100 "
            "passes, and 4 GiB in all passes together.",
            "password_hash",
        )
