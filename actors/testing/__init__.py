"""Helpers for the tests of actors: many schedules, virtual time, and waiting without sleeping.

    import pytest
    import trio

    from actors import open_system
    from actors.testing import settle
    from loyalty.card import Card, Count, Stamp  # yours

    @pytest.mark.schedules
    async def test_two_tills_may_stamp_at_once() -> None:
        async with open_system() as system, trio.open_nursery() as tills:
            card = await system.start(Card)
            for _ in range(2):
                tills.start_soon(card.ask, Stamp())
            await settle()
            assert await card.ask(Count()) == 2

**Many schedules.** Tasks that are ready at once run in an order that trio draws by lot, so a race
may hide for months. An async test marked `@pytest.mark.schedules` is run under 50 orders, each
drawn from a seed; `schedules(20)` under 20. Each is a test of its own, with fresh fixtures, and the
name of one that fails holds its seed, with which it can be run again:

    pytest "tests/test_card.py::test_two_tills_may_stamp_at_once[schedule-17]"

`pytestmark = pytest.mark.schedules` in a module marks all of its async tests. The marker goes
together with `parametrize` and with async fixtures. `pytest --schedules=N` sets another number for
all that are marked: 1 while you type, 500 for the night.

**Virtual time.** A swept test has a clock of its own, which starts at 0 and goes on only when every
task waits; then it jumps to the next moment that somebody waits for. So `await trio.sleep(60)` lets
a minute pass at once, and all that is due in it happens; `trio.current_time()` tells the seconds.
A task that waits for a thread or a real socket waits like any other, and time jumps past it: keep
both out of swept tests (`trio.testing.memory_stream_pair` stands in for a socket).

**Waiting without sleeping.** `await settle()` returns when the others can come no further, and no
time has passed.

**Nobody behind it.** A `Probe(Card)` is a `Ref[Card]` that records what it is sent and plays the
answers that the test has scripted, or gives as they are asked for.

The marker and the option belong to a plugin of pytest (actors.testing.plugin) that comes with this
package; there is nothing to switch on. It needs pytest-trio, which runs the tests and their async
fixtures, and works with its `trio_mode` and without. A test with a loop of its own, as hypothesis
has one, cannot be marked: it calls `run_seeded`.
"""

from actors.testing.probe import Probe
from actors.testing.schedules import run_seeded
from actors.testing.settle import settle

__all__ = ["Probe", "run_seeded", "settle"]
