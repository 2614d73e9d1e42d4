"""The schedule sweep as a plugin of pytest: the marker `schedules`, and options for the seeds.

The one rule: a swept test is one item, and pytest-trio runs it; this module only sets how often,
and in which order trio runs its tasks. For each seed pytest sets the item up, calls it and tears it
down, so that no fixture is used twice. A mark `trio(run=...)`, with which pytest-trio accepts a
runner, passes the seed to trio. One report is kept: that of the first seed that fails, which is
named and ends the sweep, or else that of the last seed.

One item for each seed would be simpler. But pytest would collect each of them, and a collection of
many thousands takes longer than running the tests under a few schedules.

pytest finds this module by the package's entry point and imports it, and with it all of `actors`,
before a plugin can start to measure coverage. `coverage run -m pytest` starts earlier, so it counts
the lines that run on import; `pytest --cov` would miss them.
"""

import shlex
from argparse import ArgumentTypeError
from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any

import pytest
import trio

# Private names of pytest: there is no public way to run an item again. pytest keeps this one for
# pytest-rerunfailures, as a comment in `runtestprotocol` says.
from _pytest._code.code import ExceptionRepr
from _pytest.runner import runtestprotocol

from actors.testing.schedules import run_seeded

COUNT = 3


class Sweep:
    """The seeds that an item is run under, and the current one."""

    __slots__ = ("seed", "seeds")

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = seeds
        self.seed = seeds[0]

    def run(
        self,
        test: Callable[[], Awaitable[object]],
        *,
        clock: trio.abc.Clock | None = None,
        instruments: Sequence[trio.abc.Instrument] = (),
    ) -> object:
        """Run an async function under the current seed; pytest-trio calls this as its runner."""
        return run_seeded(self.seed, test, clock=clock, instruments=instruments)


SWEEP = pytest.StashKey[Sweep]()


def positive(text: str) -> int:
    """Read the number of schedules."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def natural(text: str) -> int:
    """Read a seed."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a seed: a whole number from 0")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--schedules=N` and `--schedule=SEED`."""
    group = parser.getgroup("actors")
    group.addoption(
        "--schedules",
        type=positive,
        metavar="N",
        help="run each test that is marked `schedules` under N schedules, whatever its marker says",
    )
    group.addoption(
        "--schedule",
        type=natural,
        metavar="SEED",
        help="run each test that is marked `schedules` under this schedule alone",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    if None not in (config.getoption("schedules"), config.getoption("schedule")):
        raise pytest.UsageError("--schedule is one schedule, --schedules=N are many: give one")
    config.addinivalue_line(
        "markers",
        f"schedules(count={COUNT}): run this async test under so many seeded schedules of trio's, "
        "in virtual time; a failure names its seed",
    )


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Fail the collection of a marked test that cannot be swept."""
    marker = sweeping(metafunc.definition)
    if marker is not None and (why_not := obstacle(metafunc, marker)):
        pytest.fail(f"{metafunc.definition.nodeid} cannot be swept: {why_not}", pytrace=False)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a swept test its seeds, and the runner that uses them."""
    if not isinstance(item, pytest.Function) or (marker := sweeping(item)) is None:
        return
    alone = item.config.getoption("schedule")
    count = item.config.getoption("schedules") or counted(*marker.args, **marker.kwargs)
    sweep = item.stash[SWEEP] = Sweep(range(count) if alone is None else [alone])
    # Put in front: pytest-trio takes the first runner, and its trio_mode adds another.
    item.add_marker(pytest.mark.trio(run=sweep.run), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a swept test under each of its seeds, and report it once."""
    sweep = item.stash.get(SWEEP, None)
    if sweep is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in run_each(item, sweep, nextitem):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def run_each(
    item: pytest.Item, sweep: Sweep, nextitem: pytest.Item | None
) -> Sequence[pytest.TestReport]:
    """Run an item under each seed until one fails, and return the reports of one of them.

    These are the reports of the seed that failed, or else of the last that was skipped or failed
    as expected, or else of the last. Their durations are the sums over all seeds.
    """
    shown: Sequence[pytest.TestReport] = ()
    durations = dict.fromkeys(("setup", "call", "teardown"), 0.0)
    sections = 0
    for seed in sweep.seeds:
        sweep.seed = seed
        # The last seed's instance and method: pytest makes both again when they are missing.
        vars(item).pop("_instance", None)
        vars(item).pop("_obj", None)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        written = len(reports[-1].sections)
        for report in reports:
            durations[report.when] += report.duration
            del report.sections[:sections]  # what earlier seeds printed
            if report.failed:
                name_seed(report, seed)
        sections = written
        shown = max(reports, shown, key=badness)  # of equally bad ones the last
        if any(report.failed for report in reports):
            break
    for report in shown:
        report.duration = durations[report.when]
    return shown


def badness(reports: Sequence[pytest.TestReport]) -> int:
    """Order the outcomes of one run: none, passed, skipped or failed as expected, failed."""
    return max((1 + report.skipped + 2 * report.failed for report in reports), default=0)


def name_seed(report: pytest.TestReport, seed: int) -> None:
    """Add to the report of a failure its schedule, and the command that runs that one alone."""
    again = f"pytest {shlex.quote(report.nodeid)} --schedule={seed}"
    said = f"This was under schedule {seed}. To run it alone: {again}"
    if not isinstance(report.longrepr, ExceptionRepr):  # `pytest.fail(..., pytrace=False)`
        report.longrepr = f"{report.longrepr}\n{said}"
        return
    report.longrepr.addsection("schedule", said)
    if crash := report.longrepr.reprcrash:  # what the short summary prints
        crash.message = f"[schedule {seed}] {crash.message}"


def sweeping(test: pytest.Function) -> pytest.Mark | None:
    """Return the marker `schedules` that applies to a test, if one does."""
    marked = next(test.iter_markers_with_node("schedules"), None)
    if marked is None:
        return None
    node, marker = marked
    if node is not test and not iscoroutinefunction(written(test.obj)):
        return None  # a plain test in a module or class that is marked as a whole
    return marker


def obstacle(metafunc: pytest.Metafunc, marker: pytest.Mark) -> str | None:
    """Return why a marked test cannot be swept; None if it can."""
    test = metafunc.function
    if not iscoroutinefunction(written(test)):
        return "it is not async, so there is no schedule to sweep"
    if written(test) is not test:
        return "hypothesis has a loop of its own: call actors.testing.run_seeded in it"
    try:
        counted(*marker.args, **marker.kwargs)
    except TypeError:
        given = [repr(value) for value in marker.args]
        given += [f"{name}={value!r}" for name, value in marker.kwargs.items()]
        return f"`schedules` takes one whole number above 0, not ({', '.join(given)})"
    if not has_pytest_trio(metafunc.config):
        return "pytest-trio would have to run it, and is not there: install it"
    return None


def written(test: Callable[..., object]) -> Callable[..., object]:
    """Return the test function as written, without hypothesis's wrapper if it has one."""
    around: Any = getattr(test, "hypothesis", None)
    return around.inner_test if around else test


def counted(count: int = COUNT) -> int:
    """Return the number of schedules in a marker, whose arguments it takes; or raise TypeError."""
    if type(count) is not int or count < 1:  # isinstance would take True for 1
        raise TypeError
    return count


def has_pytest_trio(config: pytest.Config) -> bool:
    """Return whether pytest-trio is installed and not switched off."""
    plugins: list[Any] = [plugin for _, plugin in config.pluginmanager.list_name_plugin()]
    return any(getattr(plugin, "__name__", "") == "pytest_trio.plugin" for plugin in plugins)
