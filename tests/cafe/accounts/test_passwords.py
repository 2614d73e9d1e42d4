"""Hashing and checking passwords, in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Literal, TypeVar

import pytest
import trio
from argon2 import Parameters, PasswordHasher, extract_parameters

from cafe.accounts.passwords import (
    AT_ONCE,
    MOST_IN_LINE,
    MOST_WAITING,
    OF_AN_ADDRESS,
    InThreads,
    Lines,
    Passwords,
    hash_of_none,
)
from cafe.accounts.refusals import TooManyHashes, TooManyTries
from tests.cafe.accounts.lobby import CHEAP, FORM, open_lobby

T = TypeVar("T")
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


async def test_a_password_matches_its_own_hash_only() -> None:
    passwords = Passwords(CHEAP)
    first = await passwords.hash("correct horse", HERE)
    second = await passwords.hash("correct horse", None)
    assert first != second
    for kept in (first, second):
        assert await passwords.matches("correct horse", kept, HERE)
        assert not await passwords.matches("Correct horse", kept, HERE)
    for other in (None, "", "no hash", first[:-4]):
        assert not await passwords.matches("correct horse", other, HERE)


async def test_without_an_account_a_check_costs_what_it_costs_with_one() -> None:
    hasher = PasswordHasher(time_cost=2, memory_cost=4_096, parallelism=1)
    assert extract_parameters(hash_of_none(hasher)) == extract_parameters(hasher.hash("x"))
    passwords = Passwords(hasher)
    kept = await passwords.hash("correct horse", HERE)
    taken: dict[str | None, list[float]] = {kept: [], None: []}
    for _ in range(15):
        for password_hash, times in taken.items():
            began = perf_counter()
            assert not await passwords.matches("wrong horse", password_hash, HERE)
            times.append(perf_counter() - began)
    with_one, without = (median(times) for times in taken.values())
    assert 0.5 < with_one / without < 2.0


class CountingHasher(PasswordHasher):
    """Keeps what each verification costs."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.costs: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2-cffi's name
        self.costs.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


async def test_whatever_is_wrong_one_hash_of_the_same_cost_is_verified() -> None:
    hasher = CountingHasher()
    async with open_lobby(hasher=hasher) as lobby:
        await lobby.register()
        disabled = await lobby.add("gone@example.com", "barista")
        async with lobby.manager() as manager:
            await manager.patch(f"/admin/users/{disabled}", json={"disabled": True})
        await lobby.sign_in()
        (cost,) = hasher.costs
        for wrong in (
            {"username": "nobody@example.com"},
            {"username": "no address at all"},
            {"password": "wrong horse"},
            {"password": "short"},
            {"username": "gone@example.com"},
        ):
            hasher.costs.clear()
            async with lobby.visitor() as visitor:
                response = await visitor.post("/auth/token", data={**FORM, **wrong})
            assert response.status_code == 401
            assert hasher.costs == [cost], wrong


async def test_two_are_hashed_at_a_time_and_those_beyond_a_bound_are_refused() -> None:
    run, running, most, refused = InThreads(), 0, 0, 0
    lock, goes_on, full = threading.Lock(), threading.Event(), trio.Event()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            is_full = running == AT_ONCE
        if is_full:
            trio.from_thread.run_sync(full.set)
        goes_on.wait()
        with lock:
            running -= 1

    async def ask() -> None:
        nonlocal refused
        try:
            await run(work)
        except TooManyHashes:
            refused += 1

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE + MOST_WAITING + 5):
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
        await full.wait()  # a thread starts when the machine lets it
        goes_on.set()
    assert (most, refused) == (AT_ONCE, 5)


async def test_an_address_has_four_places_and_a_line_and_keeps_nobody_else_waiting() -> None:
    entered: list[Callable[[], object]] = []
    refused: list[tuple[int, str, float | None]] = []
    goes_on = trio.Event()

    async def run(call: Callable[[], T]) -> T:
        entered.append(call)
        await goes_on.wait()
        return call()

    passwords = Passwords(CHEAP, run)

    async def check(address: str) -> None:
        try:
            await passwords.matches("correct horse", None, address)
        except TooManyTries as too_many:
            refused.append((too_many.status, too_many.limit, too_many.retry_after))

    async with trio.open_nursery() as nursery:
        for _ in range(OF_AN_ADDRESS + MOST_IN_LINE + 7):
            nursery.start_soon(check, HERE)
        await trio.testing.wait_all_tasks_blocked()
        assert len(entered) == OF_AN_ADDRESS
        assert refused == [(429, "passwords", 1.0)] * 7
        nursery.start_soon(check, ELSEWHERE)
        await trio.testing.wait_all_tasks_blocked()
        assert (len(entered), len(refused)) == (OF_AN_ADDRESS + 1, 7)
        goes_on.set()
    assert len(entered) == OF_AN_ADDRESS + MOST_IN_LINE + 1


@pytest.mark.schedules(30)
async def test_of_a_line_that_all_have_left_nothing_is_kept() -> None:
    lines, goes_on, scope_of_fifth = Lines(), trio.Event(), trio.CancelScope()

    async def stand(scope: trio.CancelScope) -> None:
        with scope:
            async with lines.turn(HERE):
                await goes_on.wait()

    async with trio.open_nursery() as nursery:
        for _ in range(OF_AN_ADDRESS):
            nursery.start_soon(stand, trio.CancelScope())
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(stand, scope_of_fifth)
        await trio.testing.wait_all_tasks_blocked()
        assert len(lines) == 1
        scope_of_fifth.cancel()
        goes_on.set()  # so all leave at once, in any order
    assert len(lines) == 0


def test_a_refusal_says_when_to_come_back() -> None:
    assert (TooManyHashes().status, TooManyHashes().reason) == (503, "busy")
    assert TooManyHashes().retry_after is not None


@pytest.mark.parametrize("name", ["time_cost", "memory_cost", "parallelism"])
def test_by_default_the_parameters_are_those_of_rfc_9106(name: str) -> None:
    expected = {"time_cost": 3, "memory_cost": 65_536, "parallelism": 4}
    assert getattr(PasswordHasher(), name) == expected[name]
