"""Requests ask again after a crash and have a time-out; tasks go on until it is done."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio

from actors import Actor, ActorCrashed, Message, Ref, Restart, open_system
from cafe.ledger.errors import JournalClosed, LedgerUnavailable, NotRecorded
from cafe.ledger.retries import (
    LEDGER_SECONDS,
    TASK_RETRY_SECONDS,
    TRIES,
    ask_again,
    ask_in_time,
    ledger_time_out,
    load_when_refused,
    until_done,
)
from tests.cafe.ledger.shelves import SHELF, TOO_LITTLE, fill, open_shop

pytestmark = pytest.mark.schedules(2)


class BugError(Exception):
    """The actor's own."""


@dataclass(frozen=True)
class Next(Message["Waiter", str]):
    """Have the next thing happen."""


class Waiter(Actor):
    """Does what a list says, which all instances share: answers, refuses, crashes, or waits."""

    def __init__(self, happenings: list[str | Exception]) -> None:
        self._happenings = happenings

    @Next.handler
    async def next(self, _message: Next) -> str:
        """Have the next thing of the list happen."""
        happening = self._happenings.pop(0)
        if isinstance(happening, Exception):
            raise happening
        if happening == "never":
            await trio.sleep_forever()
        return happening


@asynccontextmanager
async def waiting(*happenings: str | Exception) -> AsyncGenerator[Ref[Waiter]]:
    left = list(happenings)
    async with open_system() as system:
        yield await system.start(lambda: Waiter(left), name="Waiter", restart=Restart(20, 60))
        assert left == []


TROUBLE = (BugError(), JournalClosed())


@pytest.mark.parametrize("trouble", TROUBLE, ids=repr)
async def test_a_request_is_repeated_after_a_crash_and_after_a_journal_was_closed(
    trouble: Exception,
) -> None:
    async with waiting(*[trouble] * (TRIES - 1), "done") as ref:
        assert await ask_in_time(ref, Next()) == "done"


@pytest.mark.parametrize(
    ("trouble", "error"), [(BugError(), ActorCrashed), (JournalClosed(), JournalClosed)]
)
async def test_the_last_crash_is_passed_on(trouble: Exception, error: type[Exception]) -> None:
    async with waiting(trouble, trouble) as ref:
        with pytest.raises(error):
            await ask_again(ref, Next(), tries=2)


async def test_a_refusal_is_passed_on_at_once() -> None:
    async with waiting(NotRecorded("invalid")) as ref:
        with pytest.raises(NotRecorded):
            await ask_in_time(ref, Next())


async def test_a_request_waits_no_longer_than_the_time_out_in_all() -> None:
    async with waiting(BugError(), "never") as ref:
        began = trio.current_time()
        with pytest.raises(LedgerUnavailable):
            await ask_in_time(ref, Next())
        assert trio.current_time() - began == LEDGER_SECONDS


async def test_what_ends_in_time_is_left_alone() -> None:
    with ledger_time_out():
        await trio.sleep(LEDGER_SECONDS - 0.1)
    with pytest.raises(KeyError), ledger_time_out():
        raise KeyError


async def test_a_task_goes_on_through_crashes_outages_and_refused_rows() -> None:
    began = trio.current_time()
    async with waiting(
        BugError(), LedgerUnavailable(), JournalClosed(), NotRecorded("conflict"), "done"
    ) as ref:
        assert await until_done(lambda: ref.ask(Next())) == "done"
    assert trio.current_time() - began == 3 * TASK_RETRY_SECONDS


async def test_a_task_may_have_a_refused_row_passed_on() -> None:
    async with waiting(LedgerUnavailable(), NotRecorded("conflict")) as ref:
        with pytest.raises(NotRecorded):
            await until_done(lambda: ref.ask(Next()), retry_refused=False)


async def test_an_actor_loads_again_for_each_refused_row_also_after_it_has_crashed() -> None:
    async with open_shop() as shop, waiting(BugError(), "loaded") as ref:
        shop.askers.nursery.start_soon(load_when_refused, shop.ledger, SHELF, ref, Next())
        for jar in "ab":
            clerk = await shop.open(SHELF)
            await shop.askers.ask(clerk, jar, fill(jar, TOO_LITTLE))
            await trio.sleep(2)
            assert shop.askers.of(jar) == "NotRecorded"
