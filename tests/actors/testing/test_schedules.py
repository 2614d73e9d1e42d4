"""A seed decides which task runs first, and changes nothing for later runs."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from actors.testing import run_seeded, settle
from tests.actors.testing.scheduler import scheduler, state


async def race(runners: int = 4) -> tuple[int, ...]:
    """Start tasks that are ready at the same time; return them in the order in which they ran."""
    order: list[int] = []

    async def arrive(number: int) -> None:
        await trio.lowlevel.checkpoint()
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(runners):
            nursery.start_soon(arrive, number)
    return tuple(order)


@pytest.fixture(autouse=True, params=[False, True], ids=["as trio has it", "as hypothesis has it"])
def deterministic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with and without the setting that pytest-trio makes for hypothesis."""
    monkeypatch.setattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", request.param)


def test_many_seeds_try_many_orders() -> None:
    assert len({run_seeded(seed, race) for seed in range(50)}) > 10


def test_the_same_seed_gives_the_same_order() -> None:
    assert [run_seeded(7, race) for _ in range(5)] == [run_seeded(7, race)] * 5


def test_the_same_seed_gives_the_same_order_to_tasks_that_trio_keeps_in_a_set() -> None:
    async def wake_all() -> list[int]:
        order: list[int] = []
        start = trio.Event()  # keeps the tasks that wait for it in a set

        async def arrive(number: int) -> None:
            await start.wait()
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(arrive, number)
            await settle()
            start.set()
        return order

    assert [run_seeded(7, wake_all) for _ in range(5)] == [run_seeded(7, wake_all)] * 5


def test_the_scheduler_is_left_as_it_was() -> None:
    before = state()
    run_seeded(1, race)
    assert state() == before


def test_the_scheduler_is_left_as_it_was_by_a_test_that_fails() -> None:
    async def fails() -> None:
        await trio.lowlevel.checkpoint()
        raise LookupError

    before = state()
    with pytest.raises(LookupError):
        run_seeded(1, fails)
    assert state() == before


def test_time_is_virtual_and_starts_at_zero() -> None:
    async def long() -> float:
        await trio.sleep(10_000)
        return trio.current_time()

    assert run_seeded(0, long) == 10_000


def test_another_clock_may_be_given() -> None:
    async def read() -> float:
        await trio.lowlevel.checkpoint()
        return trio.current_time()

    clock = MockClock()
    clock.jump(100)
    assert run_seeded(0, read, clock=clock) == 100


def test_trio_instruments_may_be_given() -> None:
    class Witness(trio.abc.Instrument):
        tasks = 0

        def task_spawned(self, task: trio.lowlevel.Task) -> None:
            del task
            self.tasks += 1

    witness = Witness()
    run_seeded(0, race, instruments=[witness])
    assert witness.tasks >= 5
