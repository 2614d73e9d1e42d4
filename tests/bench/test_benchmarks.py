"""The benchmarks' help, table and documentation agree with their code."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pytest

from bench import (
    accounts,
    actors,
    boards,
    defaults,
    deliveries,
    failover,
    flood,
    history,
    latency,
    lines,
    lookups,
    memory,
    menu,
    noop,
    orders,
    parked,
    tables,
)
from bench.__main__ import BENCHMARKS, make_parser
from bench.load import turns_of
from bench.report import Row, at_least, at_most, print_table

PAGE = Path(__file__).parents[2].joinpath("docs", "benchmarks.md").read_text("utf-8")


def cells(first: str, row: str, peer: str = "") -> list[str]:
    """Return the cells of the only row of the page's tables with these first cells and peer."""
    rows = [[cell.strip() for cell in re.findall(r"[^|]+", line)] for line in PAGE.splitlines()]
    (found,) = (
        each
        for each in rows
        if len(each) > 2
        and each[0] == first
        and (first == row or each[1].startswith(row))
        and each[-2].startswith(peer)
    )
    return found


def test_the_help_has_a_line_for_each_benchmark() -> None:
    lines_of_help = make_parser().format_help().splitlines()
    for name, benchmark in BENCHMARKS.items():
        assert f"  {name:10} {benchmark.about}" in lines_of_help


def test_the_page_has_each_benchmark() -> None:
    named = set(re.findall(r"^(?:\| )?`([a-z]+)`", PAGE, re.MULTILINE))
    assert named == set(BENCHMARKS)


FULL = "full orders, in memory only"
FILE = "full orders, with a file"
COST = "processor time for each"
COST_FILE = "processor time for each, with a file"


@pytest.mark.parametrize(
    ("first", "row", "peer", "target"),
    [
        (FULL, FULL, "plain, hypercorn", orders.TIMES_STOCK),
        (FULL, FULL, "plain, uvicorn", orders.LEAST_IN_MEMORY),
        (COST, COST, "plain, uvicorn", orders.MOST_IN_MEMORY),
        (FILE, FILE, "plain, uvicorn", orders.LEAST_IN_A_FILE),
        (COST_FILE, COST_FILE, "plain, uvicorn", orders.MOST_IN_A_FILE),
        (FILE, FILE, "the usual way", orders.TIMES_USUAL),
        (FILE, FILE, "the café", orders.LEAST_OF_MEMORY),
        ("`defaults`", "processor time", "", defaults.MOST),
        ("`noop`", "a no-op FastAPI", "", noop.LEAST),
        ("`noop`", "a bare ASGI", "", noop.MOST_COST),
        ("`menu`", "`GET /menu`", "", menu.LEAST),
        ("`parked`", "memory", "", parked.MOST_KIB),
        ("`parked`", "from the last finish", "", parked.MOST_SECONDS),
        ("`memory`", "resident memory", "", memory.MOST_AT_REST),
        ("`memory`", "memory after", "", memory.MOST_GROWTH),
        ("`latency`", "from sending", "", latency.MOST_MS),
        ("`flood`", "the regulars", "", flood.LEAST),
        ("`lookups`", "a regular", "", lookups.MOST),
        ("`lookups`", "the same", "", lookups.MOST),
        ("`history`", "from the command", "", history.MOST_START),
        ("`history`", "memory then", "", history.MOST_MEMORY),
        ("`accounts`", "processor time until", "", accounts.MOST_START),
        ("`accounts`", "memory after", "", accounts.MOST_MEMORY),
        ("`accounts`", "processor time of a sign-in", "", accounts.MOST_SIGN_IN),
        ("`accounts`", "the same of", "", accounts.MOST_LOOK),
        ("`deliveries`", "processor time", "", deliveries.MOST),
        ("`tables`", "processor time", "", tables.MOST),
        ("`tables`", "the same", "", tables.MOST),
        ("`boards`", "full orders", "", boards.LEAST),
        ("`boards`", "memory", "", boards.MOST_KIB),
        ("`failover`", "from the kill", "", failover.MOST_SECONDS),
        ("`lines`", "processor time", "", lines.MOST),
        ("`actors`", "asks, 1 and 100 callers", "", actors.LINES[0].target),
        ("`actors`", "asks, 1 caller", "Pykka", actors.LINES[3].target),
        ("`actors`", "asks, instruments off", "", actors.LINES[6].target),
    ],
)
def test_the_page_has_the_target_that_is_checked(
    first: str, row: str, peer: str, target: float
) -> None:
    assert re.findall(r"\d+(?:\.\d+)?", cells(first, row, peer)[-1])[0] == f"{target:g}"


def test_a_target_is_met_up_to_itself() -> None:
    assert at_least(0.95, 0.95) == ("at least 0.95", True)
    assert at_least(0.95, 0.94) == ("at least 0.95", False)
    assert at_most(14.0, 14.0, " KiB") == ("at most 14 KiB", True)
    assert at_most(14.0, 14.1, " KiB") == ("at most 14 KiB", False)


def test_the_table_shows_which_targets_are_met_and_how_many(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(
        [
            Row("one", "1 s", "2 s", "a peer", 0.5, *at_most(0.6, 0.5)),
            Row("two", "1 s", "2 s", "a peer", 0.5, *at_most(0.4, 0.5)),
            Row("three", "1 s", "2 s", "a peer", 0.5),
        ]
    )
    printed = capsys.readouterr().out
    verdicts = [line.split("│")[-2].strip() for line in printed.splitlines() if "a peer" in line]
    assert verdicts == ["met", "NOT MET", ""]
    assert "1 of 2 targets are met." in printed


def test_clients_that_share_a_pace_have_evenly_spaced_turns() -> None:
    begin, *_ = first = [next(turns_of(number, 4, 100.0)) for number in range(4)]
    assert [round(at - begin, 2) for at in first] == [0.0, 0.01, 0.02, 0.03]
    begin, second, third = islice(turns_of(0, 4, 100.0), 3)
    assert [round(second - begin, 6), round(third - begin, 6)] == [0.04, 0.08]


def test_without_a_pace_every_turn_is_now() -> None:
    assert list(islice(turns_of(3, 4, 0.0), 3)) == [0.0, 0.0, 0.0]
