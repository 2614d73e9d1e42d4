"""The schedule sweep as a plugin of pytest: the marker `schedules` and the option `--schedules`.

The one rule: pytest-trio runs the tests, this only tells it how. A swept test gets one item a seed,
and each item a mark `trio(run=...)`, pytest-trio's own way to be given a runner. So all that
pytest-trio does (async fixtures, a nursery, a clock of the test's own) stays as it does it.

pytest finds this module by the package's entry point and imports it, and with it all of `actors`,
before a plugin could start to measure coverage. `coverage run -m pytest` starts earlier, so the
lines that run on import count with it; `pytest --cov` would miss them.
"""

from argparse import ArgumentTypeError
from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

import pytest

from actors.testing.schedules import run_seeded

COUNT = 50
PARAMETER = "_schedule"


def positive(text: str) -> int:
    """Read the option's number."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--schedules=N`."""
    parser.getgroup("actors").addoption(
        "--schedules",
        type=positive,
        metavar="N",
        help="run each test that is marked `schedules` under N schedules, whatever its marker says",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"schedules(count={COUNT}): run this async test under so many seeded schedules of trio's, "
        "in virtual time; each is a test of its own, named after its seed",
    )


@pytest.hookimpl(trylast=True)  # so that the seed stands last in the name, and its loop is inmost
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item of each seed of a swept test."""
    marked = next(metafunc.definition.iter_markers_with_node("schedules"), None)
    if marked is None:
        return
    node, marker = marked
    if not iscoroutinefunction(written(metafunc.function)) and node is not metafunc.definition:
        return  # a plain test in a module or class that is marked as a whole
    if why_not := obstacle(metafunc, marker):
        pytest.fail(f"{metafunc.definition.nodeid} cannot be swept: {why_not}", pytrace=False)
    seeds = range(metafunc.config.getoption("schedules") or counted(*marker.args, **marker.kwargs))
    metafunc.fixturenames.append(PARAMETER)
    metafunc.parametrize(PARAMETER, seeds, ids=[f"schedule-{seed}" for seed in seeds])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give an item of a swept test the runner for its seed."""
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        seed = item.callspec.params.get(PARAMETER)
        if isinstance(seed, int):
            # Put in front: pytest-trio takes the first runner, and its trio_mode adds another.
            item.add_marker(pytest.mark.trio(run=partial(run_seeded, seed)), append=False)


def obstacle(metafunc: pytest.Metafunc, marker: pytest.Mark) -> str | None:
    """Say why a marked test cannot be swept, if it cannot."""
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
    """Return the function that somebody wrote, also if hypothesis put a plain one around it."""
    around: Any = getattr(test, "hypothesis", None)
    return around.inner_test if around else test


def counted(count: int = COUNT) -> int:
    """Return the number of schedules that a marker asks for, by being called as the marker was."""
    if type(count) is not int or count < 1:  # isinstance would take True for 1
        raise TypeError
    return count


def has_pytest_trio(config: pytest.Config) -> bool:
    """Say whether pytest-trio is installed and not switched off."""
    plugins: list[Any] = [plugin for _, plugin in config.pluginmanager.list_name_plugin()]
    return any(getattr(plugin, "__name__", "") == "pytest_trio.plugin" for plugin in plugins)
