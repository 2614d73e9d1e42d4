"""Passwords: hashed and checked with argon2id (RFC 9106), in threads of their own.

Rule: a check takes the same time whether there is an account or not: without one, the password is
checked against a hash that no password has. Two hashes run at a time, and a bounded number waits. A
client address has only a few among them; its others wait in its own line, and delay no one else.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol, TypeVar

import trio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cafe.accounts.refusals import TooManyHashes, TooManyTries

T = TypeVar("T")
AT_ONCE: Final = 2
MOST_WAITING: Final = 64
OF_AN_ADDRESS: Final = 4
"""The most hashes of one client address that run or wait for a thread."""
MOST_IN_LINE: Final = 32
"""The most further hashes that wait in the address's own line."""
MOMENT: Final = 1.0
"""The Retry-After of a full line, in seconds."""


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


class Lines:
    """Client addresses' turns: OF_AN_ADDRESS at a time for each, the others in its line."""

    def __init__(self) -> None:
        self._lines: dict[str, trio.CapacityLimiter] = {}

    def __len__(self) -> int:
        return len(self._lines)

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncGenerator[None]:
        """Wait for a turn and have it; raises TooManyTries beyond MOST_IN_LINE."""
        line = self._lines.setdefault(address, trio.CapacityLimiter(OF_AN_ADDRESS))
        if line.statistics().tasks_waiting >= MOST_IN_LINE:
            raise TooManyTries("passwords", MOMENT)
        try:
            async with line:
                yield
        finally:
            # If none has a turn, none waits. A cancelled wait may find that the line is gone.
            if not line.borrowed_tokens and self._lines.get(address) is line:
                del self._lines[address]


class Passwords:
    """Hashes passwords, and checks them."""

    def __init__(self, hasher: PasswordHasher | None = None, run: Run | None = None) -> None:
        """Use `hasher`, by default with argon2-cffi's parameters, and call it by `run`."""
        self._hasher = hasher or PasswordHasher()
        self._run = run or InThreads()
        self._of_none = hash_of_none(self._hasher)
        self._lines = Lines()

    async def hash(self, password: str, address: str | None) -> str:
        """Return a hash in the PHC string format, which has its parameters and salt.

        `address` is the client's; None for a manager, who need not wait in a line.
        """
        call = partial(self._hasher.hash, password)
        if address is None:
            return await self._run(call)
        async with self._lines.turn(address):
            return await self._run(call)

    async def matches(self, password: str, password_hash: str | None, address: str) -> bool:
        """Return whether a password matches a hash; without a hash, False after as long a time."""
        async with self._lines.turn(address):
            return await self._run(partial(self._check, password, password_hash))

    def _check(self, password: str, password_hash: str | None) -> bool:
        try:
            self._hasher.verify(password_hash or self._of_none, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None


def hash_of_none(hasher: PasswordHasher) -> str:
    """Return a hash that no password has, and that takes as long to check as any other."""
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, digest = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (hasher.salt_len, hasher.hash_len)
    )
    return f"$argon2id$v=19${costs}${salt}${digest}"
