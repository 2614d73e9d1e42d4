"""Helpers for the tests of actors: many schedules, virtual time, and waiting without sleeping.

    import pytest
    import trio

    from actors import open_system
    from actors.testing import settle

    @pytest.mark.schedules
    async def test_the_fifth_drink_is_free() -> None:
        async with open_system() as system: ...

**Many schedules.** Tasks that are ready at once run in an order that trio draws by lot, so a race
may hide for months. A test marked `@pytest.mark.schedules` is run under 50 orders, each drawn from
a seed; `schedules(20)` under 20. Each is a test of its own, with fresh fixtures, and the name of
one that fails holds its seed: `pytest "test_card.py::test_the_fifth_drink_is_free[schedule-17]"`
runs that one again. `pytestmark = pytest.mark.schedules` marks a whole module. `pytest
--schedules=N` sets another number for all: 1 while you type, 500 for the night.

**Virtual time.** A swept test's seconds pass at once, as soon as every task waits: `trio.sleep(60)`
lets a minute pass, `trio.current_time()` starts at 0, no clock needs to be asked for.

**Waiting without sleeping.** `await settle()` returns when the others can come no further.

**Nobody behind it.** A `Probe(Card)` is a `Ref[Card]` that records what it is sent and plays the
answers that the test has scripted, or gives as they are asked for.

The marker and the option belong to a plugin of pytest (actors.testing.plugin) that comes with this
package; there is nothing to switch on. It needs pytest-trio, which runs the tests and their async
fixtures. A test with a loop of its own, as hypothesis has one, calls `run_seeded` instead.
"""

from actors.testing.probe import Probe
from actors.testing.schedules import run_seeded
from actors.testing.settle import settle

__all__ = ["Probe", "run_seeded", "settle"]
