"""A schedule that fails is named, and can be run alone; expected failures and skips count once."""

from __future__ import annotations

import pytest

from tests.actors.testing.sweep import OTHERS, RACE, Sweep

pytest_plugins = ["pytester"]


def test_a_race_is_found_and_named_with_its_seed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=RACE)
    sweep = Sweep(pytester, "--schedules=50")
    assert set(sweep.failed) == {"test_zero_is_not_the_last"}, "one item, whatever the schedules"
    seed = sweep.seed
    again = f"pytest test_race.py::test_zero_is_not_the_last --schedule={seed}"
    assert f"This was under schedule {seed}. To run it alone: {again}" in sweep.said.popitem()[1]


def test_a_seed_can_be_run_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=RACE)
    first = Sweep(pytester, "--schedules=50")
    again = Sweep(pytester, "test_race.py", f"--schedule={first.seed}")
    assert again.failed == first.failed, "the order that was printed is the same"
    assert again.said == first.said
    passed = {len(Sweep(pytester, f"--schedule={seed}").passed) for seed in range(20)}
    assert passed == {0, 1}, "not every schedule fails"


def test_no_seed_is_run_after_one_that_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        ran = []

        @pytest.mark.schedules(10)
        async def test_a():
            ran.append("a")
            print(len(ran))
            assert len(ran) < 4

        def test_b():
            assert len(ran) == 4
    """)
    sweep = Sweep(pytester)
    assert sweep.failed == {"test_a": "4\n"}, "what earlier schedules printed is left out"
    assert sweep.seed == 3
    assert set(sweep.passed) == {"test_b"}


@pytest.mark.parametrize("crash", ["1 / 0", "pytest.fail('broken', pytrace=False)"])
@pytest.mark.parametrize("at", ["setup", "teardown"])
def test_a_fixture_that_fails_names_the_seed_too(
    pytester: pytest.Pytester, at: str, crash: str
) -> None:
    pytester.makepyfile(f"""
        import pytest

        ran = []

        @pytest.fixture
        def shop():
            ran.append("a")
            if "{at}" == "setup" and len(ran) == 3: {crash}
            yield
            if "{at}" == "teardown" and len(ran) == 3: {crash}

        @pytest.mark.schedules(5)
        async def test_a(shop): pass
    """)
    result = pytester.runpytest_inprocess(*OTHERS)
    result.assert_outcomes(errors=1, passed=at == "teardown")
    result.stdout.fnmatch_lines("This was under schedule 2. To run it alone: pytest *--schedule=2")


def test_the_summary_of_failures_names_the_seed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=RACE)
    result = pytester.runpytest_inprocess(*OTHERS, "--schedules=50")
    result.stdout.re_match_lines([r"FAILED test_race.py::\w+ - \[schedule \d+\] "])


def test_the_first_to_fail_can_end_the_run_and_can_be_run_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_a=RACE, test_b="def test_b(): pass", test_c=RACE, test_d="def test_d(): pass"
    )
    options = ("-p", "no:hypothesispytest", "-p", "no:schemathesis", "--schedules=50")
    result = pytester.runpytest_inprocess(*options, "-x")
    result.assert_outcomes(failed=1)
    pytester.runpytest_inprocess(*options).assert_outcomes(failed=2, passed=2)
    pytester.runpytest_inprocess(*options, "--lf").assert_outcomes(failed=2)


@pytest.mark.parametrize(
    ("strict", "fails_at", "outcome"),
    [
        (True, [0, 1, 2], "xfailed"),
        (True, [0, 2], "failed"),
        (False, [1], "xfailed"),
        (False, [], "xpassed"),
    ],
)
def test_one_that_is_expected_to_fail_is_swept_as_well(
    pytester: pytest.Pytester, *, strict: bool, fails_at: list[int], outcome: str
) -> None:
    pytester.makepyfile(f"""
        import pytest

        ran = []

        @pytest.mark.xfail(strict={strict})
        @pytest.mark.schedules(3)
        async def test_a():
            ran.append("a")
            assert len(ran) - 1 not in {fails_at}
    """)
    pytester.runpytest_inprocess(*OTHERS).assert_outcomes(**{outcome: 1})


def test_one_that_is_skipped_is_skipped_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.skip
        @pytest.mark.schedules(3)
        async def test_a(): pass

        @pytest.mark.schedules(3)
        async def test_b(): pytest.skip("not here")
    """)
    pytester.runpytest_inprocess(*OTHERS).assert_outcomes(skipped=2)


def test_the_processes_of_pytest_xdist_sweep_as_well(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_race=RACE, test_it="def test_a(): pass")
    result = pytester.runpytest_inprocess(*OTHERS, "-n1", "--schedules=50", "-v")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines([r"FAILED test_race.py::\w+ - \[schedule \d+\] "])
