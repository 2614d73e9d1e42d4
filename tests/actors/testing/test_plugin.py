"""The plugin, in runs of pytest on tests of their own."""

from __future__ import annotations

import pytest
from _pytest.timing import MockTiming

from tests.actors.testing.scheduler import state
from tests.actors.testing.sweep import OTHERS, RACE, Sweep

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


RUNS = """
    runs = {}

    def ran(name):
        runs[name] = runs.get(name, 0) + 1
"""


def test_the_time_of_a_swept_test_is_that_of_all_its_schedules(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    MockTiming().patch(monkeypatch)  # pytest's own clock: it moves by its sleep, at once
    pytester.makepyfile("""
        import pytest
        from _pytest import timing

        @pytest.mark.schedules(10)
        async def test_a(): timing.sleep(3)
    """)
    run = pytester.inline_run(*OTHERS)  # pyright: ignore[reportUnknownMemberType] - `plugins`
    (passed,), _, _ = run.listoutcomes()
    assert isinstance(passed, pytest.TestReport)
    assert passed.duration == 30


@pytest.mark.parametrize(
    ("option", "expected"),
    [(None, "332"), ("--schedules=1", "111"), ("--schedules=7", "777"), ("--schedule=7", "111")],
)
def test_the_options_are_stronger_than_every_marker(
    pytester: pytest.Pytester, option: str | None, expected: str
) -> None:
    pytester.makepyfile(
        runs=RUNS,
        test_it="""
        import pytest
        from runs import ran, runs

        @pytest.mark.schedules
        async def test_a(): ran("a")

        @pytest.mark.schedules()
        async def test_b(): ran("b")

        @pytest.mark.schedules(2)
        async def test_c(): ran("c")

        async def test_d(): ran("d")

        def test_all():
            assert list(runs) == ["a", "b", "c", "d"]
            print(*runs.values(), sep="")
    """,
    )
    sweep = Sweep(pytester, *([option] if option else []))
    assert sweep.passed["test_all"] == f"{expected}1\n"


def test_a_module_or_a_class_may_be_marked_as_a_whole(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        runs=RUNS,
        test_it="""
        import pytest
        from hypothesis import given, strategies as st
        from runs import ran, runs

        pytestmark = pytest.mark.schedules(2)

        async def test_a(): ran("a")

        @pytest.mark.schedules(3)
        async def test_b(): ran("b")

        @pytest.mark.schedules(1)
        class TestC:
            async def test_c(self): ran("c")

        def test_d(): ran("d")

        @given(st.just(1))
        def test_e(one): ran("e")

        def test_all():
            assert runs == {"a": 2, "b": 3, "c": 1, "d": 1, "e": 1}
    """,
    )
    assert set(Sweep(pytester).passed) == {
        "test_a",
        "test_b",
        "TestC::test_c",
        "test_d",
        "test_e",
        "test_all",
    }


def test_parameters_stay_as_they_are(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.schedules(2)
        @pytest.mark.parametrize("size", ["small", "large"])
        async def test_a(size): assert size in ("small", "large")
    """)
    assert list(Sweep(pytester).passed) == ["test_a[small]", "test_a[large]"]


def test_async_fixtures_are_fresh_for_each_schedule(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FIXTURES)
    assert len(Sweep(pytester).passed) == 2


def test_plain_fixtures_and_instances_are_fresh_for_each_schedule(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import pytest

        class TestA:
            orders = 0

            @pytest.fixture
            def shop(self):
                return [self]

            @pytest.mark.schedules(3)
            async def test_a(self, shop, tmp_path):
                assert self.orders == 0
                assert shop == [self], "the fixture is of the same instance"
                assert list(tmp_path.iterdir()) == []
                (tmp_path / "order").touch()
                shop.append("order")
                self.orders = 1
    """)
    assert len(Sweep(pytester).passed) == 1


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
    assert len(Sweep(pytester).passed) == 2


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
    assert len(Sweep(pytester, "-o", "trio_mode=false").passed) == 2


def test_the_scheduler_is_left_as_it_was(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RACE)
    before = state()
    assert Sweep(pytester).failed
    assert state() == before


def test_the_marker_is_listed(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*OTHERS, "--markers")
    assert (
        "@pytest.mark.schedules(count=3): run this async test under so many seeded schedules of "
        "trio's, in virtual time; a failure names its seed"
    ) in unwrapped(result)


def test_the_options_are_listed(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*OTHERS, "--help")
    assert (
        " actors: --schedules=N run each test that is marked `schedules` under N schedules, "
        "whatever its marker says "
        "--schedule=SEED run each test that is marked `schedules` under this schedule alone "
    ) in unwrapped(result)


def unwrapped(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.str().split())
