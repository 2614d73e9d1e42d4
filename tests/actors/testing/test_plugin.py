"""The plugin, as somebody meets it who runs pytest on tests of his own."""

from __future__ import annotations

import pytest

from tests.actors.testing.scheduler import state
from tests.actors.testing.sweep import OTHERS, RACE, Sweep, names

pytest_plugins = ["pytester"]

FIXTURES = """
    import pytest, trio

    opened, closed = [], []

    @pytest.fixture
    async def shop():
        opened.append(trio.current_time())
        await trio.sleep(1)
        yield []
        await trio.sleep(1)
        closed.append(trio.current_time())

    @pytest.mark.schedules(4)
    async def test_each_has_a_shop_of_its_own(shop, nursery):
        shop.append("order")
        assert shop == ["order"]
        nursery.start_soon(trio.sleep_forever)

    def test_each_shop_was_opened_at_zero_and_closed():
        assert opened == [0] * 4
        assert closed == [2] * 4
"""


def test_a_race_is_found_and_named_with_its_seed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=RACE)
    sweep = Sweep(pytester)
    assert sweep.passed
    assert sweep.failed
    assert {*sweep.passed, *sweep.failed} == names("test_zero_is_not_the_last", 50)


def test_one_schedule_can_be_run_again_by_its_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=RACE)
    first = Sweep(pytester)
    failed, passed = list(first.failed)[-1], list(first.passed)[-1]
    again = Sweep(pytester, f"test_race.py::{failed}", f"test_race.py::{passed}")
    assert again.failed == {failed: first.failed[failed]}, "the order that was printed is the same"
    assert again.passed == {passed: first.passed[passed]}


@pytest.mark.parametrize("number", [1, 3, 70])
def test_the_option_sets_the_number_for_every_swept_test(
    pytester: pytest.Pytester, number: int
) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.schedules
        async def test_a(): pass

        @pytest.mark.schedules(2)
        async def test_b(): pass

        async def test_c(): pass
    """)
    sweep = Sweep(pytester, f"--schedules={number}")
    assert set(sweep.passed) == names("test_a", number) | names("test_b", number) | {"test_c"}


def test_a_module_or_a_class_may_be_marked_as_a_whole(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        from hypothesis import given, strategies as st

        pytestmark = pytest.mark.schedules(2)

        async def test_a(): pass

        @pytest.mark.schedules(3)
        async def test_b(): pass

        @pytest.mark.schedules(1)
        class TestC:
            async def test_c(self): pass

        def test_d(): pass

        @given(st.just(1))
        def test_e(one): pass
    """)
    assert set(Sweep(pytester).passed) == {
        *names("test_a", 2),
        *names("test_b", 3),
        *names("TestC::test_c", 1),
        "test_d",
        "test_e",
    }


def test_parameters_come_before_the_seed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.schedules(2)
        @pytest.mark.parametrize("size", ["small", "large"])
        async def test_a(size): assert size in ("small", "large")
    """)
    assert list(Sweep(pytester).passed) == [
        "test_a[small-schedule-0]",
        "test_a[small-schedule-1]",
        "test_a[large-schedule-0]",
        "test_a[large-schedule-1]",
    ]


def test_async_fixtures_are_fresh_for_each_schedule(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FIXTURES)
    assert len(Sweep(pytester).passed) == 5


def test_time_is_virtual_unless_the_test_has_a_clock_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest, trio

        @pytest.mark.schedules(2)
        async def test_a():
            await trio.sleep(10_000)
            assert trio.current_time() == 10_000

        @pytest.mark.schedules(2)
        async def test_b(mock_clock):
            mock_clock.jump(5)
            assert trio.current_time() == 5
    """)
    assert len(Sweep(pytester).passed) == 4


def test_trio_mode_is_not_needed_and_no_other_runner_comes_first(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import pytest, trio

        @pytest.mark.schedules(2)
        async def test_a():
            await trio.sleep(10_000)

        @pytest.mark.schedules(2)
        @pytest.mark.trio(run=lambda *_, **__: 1 / 0)
        async def test_b():
            await trio.sleep(10_000)
    """)
    assert len(Sweep(pytester, "-o", "trio_mode=false").passed) == 4


def test_the_scheduler_is_left_as_it_was(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RACE)
    before = state()
    assert Sweep(pytester).failed
    assert state() == before


def test_the_marker_is_listed(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*OTHERS, "--markers")
    assert (
        "@pytest.mark.schedules(count=50): run this async test under so many seeded schedules of "
        "trio's, in virtual time; each is a test of its own, named after its seed"
    ) in unwrapped(result)


def test_the_option_is_listed(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*OTHERS, "--help")
    assert (
        " actors: --schedules=N run each test that is marked `schedules` under N schedules, "
        "whatever its marker says"
    ) in unwrapped(result)


def unwrapped(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.str().split())
