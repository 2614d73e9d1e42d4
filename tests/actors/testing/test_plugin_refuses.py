"""A test that cannot be swept is reported in one sentence before a test is run."""

from __future__ import annotations

import pytest

from tests.actors.testing.sweep import OTHERS, RACE, Sweep

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("number", ["0", "-1", "many", "2.5", ""])
def test_a_number_that_is_none_is_a_wrong_use(pytester: pytest.Pytester, number: str) -> None:
    result = pytester.runpytest_inprocess(*OTHERS, f"--schedules={number}")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"*--schedules: '{number}' is not a whole number above 0")


@pytest.mark.parametrize("seed", ["-1", "first", "2.5", ""])
def test_a_seed_that_is_none_is_a_wrong_use(pytester: pytest.Pytester, seed: str) -> None:
    result = pytester.runpytest_inprocess(*OTHERS, f"--schedule={seed}")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"*--schedule: '{seed}' is not a seed: a whole number from 0")


def test_one_schedule_and_many_are_a_wrong_use(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*OTHERS, "--schedule=0", "--schedules=1")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        "ERROR: --schedule is one schedule, --schedules=N are many: give one"
    )


def test_a_wrong_argument_is_refused_at_collection(pytester: pytest.Pytester) -> None:
    wrong = ["(0)", "(-1)", "('5')", "(True)", "(2.0)", "(1, 2)", "(seeds=3)", "(None)"]
    for number, arguments in enumerate(wrong):
        source = f"""
            import pytest

            @pytest.mark.schedules{arguments}
            async def test_a(): pass
        """
        pytester.makepyfile(**{f"test_{number}": source})
    sweep = Sweep(pytester)
    assert sweep.passed == {}
    assert sweep.errors == [
        f"test_{number}.py::test_a cannot be swept: "
        f"`schedules` takes one whole number above 0, not {arguments}"
        for number, arguments in enumerate(wrong)
    ]


def test_a_test_that_is_not_async_is_refused_at_collection(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.schedules
        def test_a(): pass
    """
    )
    sweep = Sweep(pytester)
    assert sweep.passed == {}
    assert sweep.errors == [
        "test_it.py::test_a cannot be swept: it is not async, so there is no schedule to sweep"
    ]


@pytest.mark.parametrize("marker", ["@pytest.mark.schedules", ""])
def test_a_test_with_a_loop_of_its_own_is_sent_to_run_seeded(
    pytester: pytest.Pytester, marker: str
) -> None:
    pytester.makepyfile(
        test_it=f"""
        import pytest
        from hypothesis import given, strategies as st

        pytestmark = pytest.mark.schedules

        {marker}
        @given(st.integers())
        async def test_a(number): pass
    """
    )
    sweep = Sweep(pytester)
    assert sweep.passed == {}
    (error,) = sweep.errors
    assert error == (
        "test_it.py::test_a cannot be swept: "
        "hypothesis has a loop of its own: call actors.testing.run_seeded in it"
    )


def test_without_pytest_trio_a_sweep_does_not_pass_in_silence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=RACE)
    sweep = Sweep(pytester, "-p", "no:trio")
    assert sweep.passed == {}
    (error,) = sweep.errors
    assert error == (
        "test_race.py::test_zero_is_not_the_last cannot be swept: "
        "pytest-trio would have to run it, and is not there: install it"
    )
