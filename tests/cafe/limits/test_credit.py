"""Credit: requests far from the limits are not all asked about, and the limits still hold."""

from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import trio
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from actors import Ref, System, open_system
from cafe.limits.address import parse_networks
from cafe.limits.guard import Guard
from cafe.limits.rate_limiter import CREDIT_SECONDS, MOST_CREDIT, Admit, Limits, RateLimiter

OFFICE = "192.0.2.7"
PROXY = "10.0.0.1"
LIMITS = Limits(requests=600, window_seconds=10.0, ban_after=10**6)


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["state"]["allowance"].waiting == LIMITS.waiting
    await Response()(scope, receive, send)


@dataclass
class Gate:
    """A guard, its RateLimiter, and the statuses of the responses."""

    system: System
    limiter: Ref[RateLimiter]
    guard: Guard
    statuses: Counter[int] = field(default_factory=Counter[int])

    async def come(self, peer: str = OFFICE, headers: Any = ()) -> None:
        async def receive() -> MutableMapping[str, Any]:
            raise AssertionError("the body was read")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1

        scope = {"type": "http", "path": "/queue", "headers": headers, "client": (peer, 4711)}
        await self.guard(scope, receive, send)

    @property
    def asked(self) -> int:
        """How often the RateLimiter was asked."""
        (limiter,) = self.system.tree()
        return limiter.handled + limiter.refused


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async with open_system() as system:
        limiter = await system.start(partial(RateLimiter, LIMITS))
        yield Gate(system, limiter, Guard(greet, limiter, parse_networks("10.0.0.0/8")))


@pytest.mark.schedules(1)
async def test_an_address_far_from_the_limit_is_asked_about_once_in_a_while(gate: Gate) -> None:
    for _ in range(1 + MOST_CREDIT):
        await gate.come()
    assert gate.asked == 1
    await gate.come()
    assert gate.asked == 2
    assert gate.statuses == {200: MOST_CREDIT + 2}


@pytest.mark.schedules(1)
async def test_requests_passed_by_credit_are_counted_with_the_next_one_asked_about(
    gate: Gate,
) -> None:
    for _ in range(10):
        await gate.come()
    await trio.sleep(CREDIT_SECONDS)
    await gate.come()
    assert gate.asked == 2
    assert (await gate.limiter.ask(Admit(OFFICE))).remaining == LIMITS.requests - 12


@pytest.mark.schedules(10)
async def test_the_limit_holds_to_the_request_when_all_come_at_once(gate: Gate) -> None:
    async def come_again_and_again() -> None:
        for _ in range(50):
            await gate.come()
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(come_again_and_again)
        for _ in range(300):
            nursery.start_soon(gate.come)
    assert gate.statuses == {200: LIMITS.requests, 429: 1_300 - LIMITS.requests}


@pytest.mark.schedules(1)
async def test_the_limit_holds_to_the_request_when_they_come_one_by_one(gate: Gate) -> None:
    for _ in range(LIMITS.requests):
        await gate.come()
    assert gate.statuses == {200: LIMITS.requests}
    await gate.come()
    assert gate.statuses[429] == 1


@pytest.mark.schedules(10)
async def test_the_limit_holds_for_an_address_that_also_comes_through_a_proxy(gate: Gate) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(400):
            nursery.start_soon(gate.come)
            nursery.start_soon(gate.come, PROXY, [(b"x-forwarded-for", OFFICE.encode())])
    for _ in range(2 * MOST_CREDIT):
        await gate.come()
    assert gate.statuses[200] == LIMITS.requests


@pytest.mark.schedules(1)
async def test_clients_behind_a_proxy_have_no_credit(gate: Gate) -> None:
    for _ in range(5):
        await gate.come(PROXY, [(b"x-forwarded-for", OFFICE.encode())])
    assert gate.asked == 5


@pytest.mark.schedules(1)
async def test_beyond_the_most_credits_each_request_is_asked_about(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cafe.limits.guard.MOST_CREDITS", 2)
    for number in range(3):
        for _ in range(5):
            await gate.come(f"192.0.2.{number}")
    assert gate.asked == 1 + 1 + 5
    # By then the requests of the first ones no longer count.
    await trio.sleep(CREDIT_SECONDS + 2 * LIMITS.window_seconds)
    for _ in range(5):
        await gate.come("192.0.2.3")
    assert gate.asked == 7 + 1


@pytest.mark.schedules(5)
async def test_a_request_that_is_cancelled_while_it_asks_leaves_no_credit(gate: Gate) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await gate.come()
    await gate.come()
    for _ in range(1 + MOST_CREDIT):
        await gate.come()
    assert gate.statuses == {200: MOST_CREDIT + 2}


@pytest.mark.slow
@pytest.mark.schedules(3)
async def test_forty_baristas_at_one_address_who_poll_quickly_are_never_refused(
    gate: Gate,
) -> None:
    """By default: each asks ten times a second, for half a minute."""
    limiter = await gate.system.start(partial(RateLimiter, Limits()))
    gate.guard = Guard(greet, limiter, (), window="baristas")

    async def poll(number: int) -> None:
        await trio.sleep(number / 400)
        for _ in range(300):
            await gate.come()
            await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(poll, number)
    assert gate.statuses == {200: 40 * 300}
