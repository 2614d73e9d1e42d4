"""Runs pytest inside a test, on tests that are swept over schedules."""

from __future__ import annotations

import re

import pytest

OTHERS = ("-p", "no:hypothesispytest", "-p", "no:schemathesis", "-p", "no:cacheprovider")

RACE = """
    import pytest, trio

    @pytest.mark.schedules
    async def test_zero_is_not_the_last():
        order = []

        async def arrive(number):
            await trio.lowlevel.checkpoint()
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(arrive, number)
        print(order)
        assert order[-1] != 0
"""


class Sweep:
    """One run of pytest, with pytest-trio.

    Has the output of each test that passed or failed, the reports of failures, and the tests that
    were not collected.
    """

    def __init__(self, pytester: pytest.Pytester, *arguments: str) -> None:
        options = (*OTHERS, "-o", "trio_mode=true", "--strict-markers", *arguments)
        run = pytester.inline_run(*options)  # pyright: ignore[reportUnknownMemberType] - `plugins`
        passed, _, failed = run.listoutcomes()
        self.passed = {name_of(report): report.capstdout for report in passed}
        self.failed = {name_of(report): report.capstdout for report in failed}
        self.said = {name_of(report): report.longreprtext for report in failed}
        collected = run.getreports("pytest_collectreport")
        self.errors = [str(report.longrepr) for report in collected if report.failed]

    @property
    def seed(self) -> int:
        """The seed that the report of the only failure names."""
        (said,) = self.said.values()
        (seed,) = re.findall(r"^This was under schedule (\d+)\.", said, re.MULTILINE)
        return int(seed)


def name_of(report: pytest.CollectReport | pytest.TestReport) -> str:
    return report.nodeid.partition("::")[2]
