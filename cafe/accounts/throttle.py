"""How often a client may try to sign in, and to register.

Rule: pure. Time is passed in, as seconds of one clock that never goes back; memory is bounded.

Only failed tries to sign in count, and those that are under way, so that a thousand at once are not
a thousand free ones. They count for the client's address, and for the pair of account and address.
A third count is the account's, for tries from everywhere. It refuses nobody by itself, or else
others could lock an account's owner out: beyond it an address that has never signed in to that
account has one try instead of ten. An address that has signed in there before is counted by that
pair only, so neither those who attack the account from elsewhere nor neighbours behind the same
address who fail at other accounts can keep its owner out. Neighbours who attack this very account
can, for as long as the window is: by their address they are the owner.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from cafe.accounts.lru import Lru
from cafe.limits.window import WindowTable

WINDOW_SECONDS: Final = 600.0
ADDRESS_TRIES: Final = 50
"""Failed tries of one address within the window, for accounts that it has never signed in to."""
PAIR_TRIES: Final = 10
"""Failed tries of one address for one account."""
ACCOUNT_TRIES: Final = 100
"""Failed tries for one account, beyond which addresses that are new to it are slowed."""
SLOWED_TRIES: Final = 1
"""What such an address has then, instead of PAIR_TRIES."""
MOST_KEYS: Final = 50_000
"""Addresses, accounts or pairs that are counted one by one; those beyond share a count."""
MOMENT: Final = 1.0
"""Seconds after which to come back where only tries under way are too many."""

REGISTRATIONS: Final = 10
"""Accounts that one address makes within an hour."""
REGISTER_TRIES: Final = 30
"""Tries of one address to register within an hour, whatever came of them: each tells whether an
address is taken. More than REGISTRATIONS, so that who is told so can try another one."""


class TooManyError(Exception):
    """No try is left."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"the next one in {wait:g} s")
        self.wait = wait
        """Seconds after which there is one."""


class Count:
    """The failed tries of many keys, and those under way."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._failed = WindowTable(WINDOW_SECONDS, most)
        self._under_way: Counter[str] = Counter()

    def seconds_until(self, key: str, limit: int, now: float) -> float:
        """Return in how many seconds one more try is within the limit; 0.0 if it is now."""
        room = limit - self._under_way[key]
        if room <= 0:
            return MOMENT
        return self._failed.window_of(key, now).seconds_until_room(room, now)

    def begin(self, key: str) -> None:
        """Count a try that is under way."""
        self._under_way[key] += 1

    def end(self, key: str, now: float, *, failed: bool) -> None:
        """Count how a try has ended."""
        self._under_way[key] -= 1
        if self._under_way[key] <= 0:
            del self._under_way[key]
        if failed:
            self._failed.window_of(key, now).add(now)

    def forget(self, key: str) -> None:
        """Drop the failed tries of a key."""
        self._failed.forget(key)


class Tries:
    """The tries to sign in."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._addresses, self._pairs, self._accounts = Count(most), Count(most), Count(most)
        # Not in the table of strangers, which they could fill.
        self._own = Count(most)
        self._known: Lru[str, bool] = Lru(most)

    def begin(self, account: str, address: str, now: float) -> bool:
        """Begin a try, and return whether the address is known to the account: `end` takes that.

        Raises TooManyError.
        """
        pair = _pair(account, address)
        is_known = pair in self._known
        if is_known:
            wait = self._own.seconds_until(pair, PAIR_TRIES, now)
        else:
            slowed = self._accounts.seconds_until(account, ACCOUNT_TRIES, now) > 0
            most = SLOWED_TRIES if slowed else PAIR_TRIES
            wait = max(
                self._addresses.seconds_until(address, ADDRESS_TRIES, now),
                self._pairs.seconds_until(pair, most, now),
            )
        if wait:
            raise TooManyError(wait)
        for count, key in self._counts(account, address, is_known=is_known):
            count.begin(key)
        return is_known

    def end(
        self, account: str, address: str, now: float, *, is_known: bool, right: bool | None
    ) -> None:
        """End a try; the right password makes the address known to the account.

        `right` is None for a try that was not made after all.
        """
        for count, key in self._counts(account, address, is_known=is_known):
            count.end(key, now, failed=right is False)
        if right:
            pair = _pair(account, address)
            self._known.put(pair, True)
            self._pairs.forget(pair)
            self._own.forget(pair)

    def _counts(
        self, account: str, address: str, *, is_known: bool
    ) -> tuple[tuple[Count, str], ...]:
        pair = _pair(account, address)
        if is_known:
            return ((self._own, pair),)
        return ((self._addresses, address), (self._pairs, pair), (self._accounts, account))


def _pair(account: str, address: str) -> str:
    return f"{address} {account}"
