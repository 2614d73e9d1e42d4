"""Passwords: hashed and checked with argon2id (RFC 9106), in threads of their own.

Rule: a check takes the same time whether there is an account or not, since it is always made,
against a hash of no password if need be. Two run at a time, and a bounded number waits.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol, TypeVar

import trio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cafe.accounts.refusals import TooManyHashes

T = TypeVar("T")
AT_ONCE: Final = 2
MOST_WAITING: Final = 64


class Run(Protocol):
    """Runs a blocking call."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]:
        """Return what the call returns."""
        ...


class InThreads:
    """Runs calls in threads, AT_ONCE at a time; refuses with TooManyHashes beyond MOST_WAITING."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(AT_ONCE)

    async def __call__(self, call: Callable[[], T]) -> T:
        """Return what the call returns."""
        if self._limiter.statistics().tasks_waiting >= MOST_WAITING:
            raise TooManyHashes
        return await trio.to_thread.run_sync(call, limiter=self._limiter)


class Passwords:
    """Hashes passwords, and checks them."""

    def __init__(self, hasher: PasswordHasher | None = None, run: Run | None = None) -> None:
        """Use `hasher`, by default with argon2-cffi's parameters, and let `run` run it."""
        self._hasher = hasher or PasswordHasher()
        self._run = run or InThreads()
        self._of_none = hash_of_none(self._hasher)

    async def hash(self, password: str) -> str:
        """Return a hash, which has its parameters and its salt in it."""
        return await self._run(partial(self._hasher.hash, password))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Return whether a password is the one of a hash; False, after as long, without a hash."""
        return await self._run(partial(self._check, password, password_hash))

    def _check(self, password: str, password_hash: str | None) -> bool:
        try:
            self._hasher.verify(password_hash or self._of_none, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None


def hash_of_none(hasher: PasswordHasher) -> str:
    """Return a hash that no password has, and that takes as long to check as any other one."""
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, digest = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (hasher.salt_len, hasher.hash_len)
    )
    return f"$argon2id$v=19${costs}${salt}${digest}"
