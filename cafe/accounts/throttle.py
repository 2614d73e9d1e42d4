"""The limits of tries to sign in, and to register.

Rule: pure. Time is passed in, as seconds of one monotonic clock; memory is bounded.

Failed tries to sign in count, and those under way, so that a thousand concurrent tries are not
free. They count for the client's address, and for the pair of account and address. A third count is
the account's, for tries from everywhere. It refuses no one by itself, or else others could lock out
an account's owner: beyond it, an address that has never signed in to the account has one try
instead of ten. An address that has signed in there before is counted by that pair only. So neither
attacks from elsewhere, nor failures of neighbours behind the same address at other accounts, lock
out its owner. Neighbours that attack this very account do, for the length of the window: their
address is the owner's.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from cafe.accounts.lru import Lru
from cafe.limits.window import WindowTable

WINDOW_SECONDS: Final = 600.0
ADDRESS_TRIES: Final = 50
"""The most failed tries of one address, for accounts that it has never signed in to."""
PAIR_TRIES: Final = 10
"""The most failed tries of one address for one account."""
ACCOUNT_TRIES: Final = 100
"""Failed tries for one account, beyond which addresses that are new to it are slowed."""
SLOWED_TRIES: Final = 1
"""The limit of such an address then, instead of PAIR_TRIES."""
MOST_KEYS: Final = 50_000
"""The most addresses, accounts or pairs that are counted one by one; others share a count."""
MOMENT: Final = 1.0
"""The wait in seconds if only the tries under way are too many."""

REGISTRATIONS: Final = 10
"""The most accounts that one address registers within an hour."""
REGISTER_TRIES: Final = 30
"""The most tries of one address to register within an hour, whatever their outcome: each reveals
whether an e-mail address is taken. More than REGISTRATIONS, so that a client may try another."""


class TooManyError(Exception):
    """No try is left."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"the next one in {wait:g} s")
        self.wait = wait
        """Seconds until the next try is allowed."""


class Count:
    """The failed tries of many keys, and those under way."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._failed = WindowTable(WINDOW_SECONDS, most)
        self._under_way: Counter[str] = Counter()

    def seconds_until(self, key: str, limit: int, now: float) -> float:
        """Return the seconds until one more try is within the limit; 0.0 if it is now."""
        room = limit - self._under_way[key]
        if room <= 0:
            return MOMENT
        return self._failed.window_of(key, now).seconds_until_room(room, now)

    def begin(self, key: str) -> None:
        """Count a try that is under way."""
        self._under_way[key] += 1

    def end(self, key: str, now: float, *, failed: bool) -> None:
        """Count the end of a try."""
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
        # Known pairs are counted apart: strangers could fill the other table.
        self._own = Count(most)
        self._known: Lru[str, bool] = Lru(most)

    def begin(self, account: str, address: str, now: float) -> bool:
        """Begin a try; return whether the address is known to the account, which `end` needs.

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

        `right` is None if the password was not checked after all.
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
