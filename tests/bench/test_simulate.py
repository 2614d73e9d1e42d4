"""A Saturday that is played keeps the laws of queues, and is full where arithmetic says."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from random import Random

import pytest

from bench import simulate
from bench.growth import find_queues
from bench.layout import Costs, Kind, Layout, at_rest, cores_for, most_orders, seconds_of
from bench.saturday import HOUR, Day, Sample, Saturday, play

MACHINES = [kind for kind in Kind if kind is not Kind.BARISTA]
SHOPS = Layout(shops=4, fronts=2, fronts_a_shop=2, baristas=10, postgresql_cores=1)
FLAT = Saturday(orders_an_hour=(400.0, 400.0))
"""Half of what ten baristas can do."""
ALL = Sample(shops=1, bundle=1)
CHEAP = Costs(
    front=3.0,
    follow=0.0,
    house=3.0,
    redis=1.0,
    redis_read=0.0,
    redis_each=1.0,
    commit=3.0,
    commit_each=3.0,
    front_at_rest=0.0,
    house_at_rest=0.0,
    house_at_rest_each=0.0,
    redis_at_rest=0.0,
    redis_at_rest_house=0.0,
)
"""Nothing at rest, and batches that save nothing; to be changed in one place."""


def total(day: Day) -> tuple[float, float]:
    return sum(day.came.values()), sum(day.served.values())


@pytest.mark.slow
def test_who_came_was_served_or_waits() -> None:
    day = play(replace(FLAT, load=3.0), SHOPS, Costs(), ALL, after_hours=0.0)
    came, served = total(day)
    assert came == pytest.approx(4 * 3 * 400, rel=0.05)
    assert came > served > 0
    assert day.waiting(day.closed_at) == came - served


@pytest.mark.slow
def test_when_the_day_is_over_all_are_served_and_all_work_is_done() -> None:
    day = play(FLAT, SHOPS, Costs(), ALL, after_hours=3.0)
    came, served = total(day)
    assert came == served
    for account in day.accounts.values():
        assert sum(account.came.values()) == pytest.approx(sum(account.done.values()))
        assert account.waiting(day.closed_at) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
def test_who_waits_is_who_comes_by_how_long_they_wait() -> None:
    day = play(FLAT, SHOPS, Costs(), ALL, after_hours=3.0)
    minutes = int(day.closed_at / 60)
    waiting = sum(day.waiting(60.0 * minute) for minute in range(1, minutes + 1)) / minutes
    came, _ = total(day)
    mean_wait = sum(day.waited.values()) / came
    assert waiting == pytest.approx(came / day.closed_at * mean_wait, rel=0.02)


@pytest.mark.slow
def test_more_load_makes_each_server_busier_and_more_customers_wait() -> None:
    days = [play(replace(FLAT, load=load), SHOPS, Costs(), ALL) for load in (0.5, 1.0, 1.5)]
    for kind in Kind:
        busy = [day.accounts[kind].busy(0.0, FLAT.seconds) for day in days]
        assert busy == sorted(busy)
        assert busy[0] < busy[-1]
    waiting = [day.waiting(FLAT.seconds) for day in days]
    assert waiting == sorted(waiting)


@pytest.mark.slow
def test_each_server_is_as_busy_as_arithmetic_says_where_batches_are_small() -> None:
    layout = replace(SHOPS, baristas=20)
    day = play(replace(FLAT, in_groups=0.0), layout, Costs(), ALL)
    came, _ = total(day)
    for kind in Kind:
        rest = at_rest(kind, Costs(), layout)
        expected = came * seconds_of(kind, Costs(), layout) / FLAT.seconds / layout.servers(kind)
        done = day.accounts[kind].busy(0.0, day.closed_at) - rest
        assert done * day.closed_at / FLAT.seconds == pytest.approx(expected, rel=0.03)


SCARCE = {
    Kind.FRONT: replace(CHEAP, front=2e6),
    Kind.REDIS: replace(CHEAP, redis=1.2e5, redis_each=1.2e5),
    Kind.HOUSE: replace(CHEAP, house=4e6),
    Kind.POSTGRESQL: replace(CHEAP, commit=3.4e5, commit_each=3.4e5),
    Kind.BARISTA: CHEAP,
}
"""Each such that about one order a second is the most that four shops can do there."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
def test_the_first_queue_grows_where_there_is_the_least_room(kind: Kind) -> None:
    costs = SCARCE[kind]
    layout = replace(SHOPS, baristas=10 if kind is Kind.BARISTA else 60)
    room = {one: most_orders(one, costs, layout) for one in Kind}
    assert min(room, key=room.__getitem__) is kind
    others = min(most for one, most in room.items() if one is not kind)
    load = 1.3 * room[kind] / (4 * 400 / HOUR)
    assert others > 2 * room[kind]  # so that it is not by chance
    day = play(replace(FLAT, load=load, in_groups=0.1, group=(5, 10)), layout, costs, ALL)
    assert find_queues(day)[0].kind is kind


@pytest.mark.slow
def test_no_queue_grows_where_there_is_room_for_all() -> None:
    assert find_queues(play(FLAT, replace(SHOPS, baristas=20), Costs(), ALL)) == []


@pytest.mark.slow
def test_larger_batches_let_a_full_server_carry_more_than_single_requests() -> None:
    costs = replace(CHEAP, commit=5e5, commit_each=1e4)
    layout = replace(SHOPS, baristas=40)
    load = 1.3 * most_orders(Kind.POSTGRESQL, costs, layout) / (4 * 400 / HOUR)
    day = play(replace(FLAT, load=load), layout, costs, ALL, after_hours=1.0)
    came, served = total(day)
    assert served == came


@pytest.mark.slow
def test_a_part_of_the_shops_and_bundles_of_customers_stand_for_all() -> None:
    layout = replace(SHOPS, shops=32, fronts=8, baristas=20)
    full = play(FLAT, layout, Costs(), ALL)
    part = play(FLAT, layout, Costs(), Sample(shops=4, bundle=5))
    assert total(part)[0] * part.scale == pytest.approx(total(full)[0], rel=0.1)
    for kind in Kind:
        busy = [day.accounts[kind].busy(0.0, FLAT.seconds) for day in (full, part)]
        assert busy[1] == pytest.approx(busy[0], rel=0.1)


def test_a_bundle_divides_the_baristas_of_a_shop() -> None:
    assert Day(FLAT, replace(SHOPS, baristas=14), Costs(), Sample(1, 5)).bundle == 2


@pytest.mark.slow
def test_the_same_seed_plays_the_same_day() -> None:
    days = [play(FLAT, SHOPS, Costs(), ALL, seed=seed) for seed in (1, 1, 2)]
    waits = [sum(day.waited.values()) for day in days]
    assert waits[0] == waits[1] != waits[2]


def test_times_are_in_order_and_as_many_as_the_curve_says() -> None:
    saturday = Saturday(orders_an_hour=(0.0, 100.0, 0.0), load=2.0)
    day = Day(saturday, SHOPS, Costs(), ALL)
    times = list(day.saturday.times(3.0, Random(1)))  # noqa: S311 - a simulation, not a secret
    assert times == sorted(times)
    assert len(times) == pytest.approx(100 * 2 * 3, abs=1)
    assert sum(HOUR / 2 < time < 3 * HOUR / 2 for time in times) == pytest.approx(450, abs=2)


def test_cores_are_enough_for_what_is_done_at_rest_and_for_orders() -> None:
    costs = replace(CHEAP, house_at_rest=1e5, house=1e5)
    assert cores_for(Kind.HOUSE, 10.0, costs, SHOPS, busy=0.5) == 3


# The command


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench.simulate", *arguments])
    return simulate.main()


SMALL = ("--shops=4", "--fronts=2", "--sample=1", "--bundle=5")


@pytest.mark.slow
def test_it_says_where_the_first_queue_grows_and_when_it_is_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *SMALL, "--once") == 0
    printed = capsys.readouterr().out
    assert "The first queue grows at the baristas: at " in printed
    assert "│ 18:00 │" in printed
    assert "customers who wait at all shops" in printed


def test_it_says_that_servers_are_too_few_without_any_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *SMALL, "--cost=redis_at_rest=200000") == 1
    assert "before the first order comes: Redis would be busy for" in capsys.readouterr().out


@pytest.mark.parametrize("cost", ["tea=1", "front=much", "front"])
def test_a_cost_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cost: str
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, f"--cost={cost}")
    assert cost.partition("=")[0] in capsys.readouterr().err


def test_the_help_has_each_option_and_each_cost() -> None:
    text = simulate.make_parser().format_help()
    for one in fields(Layout):
        assert f"--{one.name.replace('_', '-')} N" in text
    for one in fields(Costs):
        assert f"  {one.name:20} {one.default:g}" in text


@pytest.mark.slow
def test_more_load_is_tried_until_a_machine_has_a_queue() -> None:
    costs = replace(CHEAP, house=3e5)
    question = simulate.Question(FLAT, replace(SHOPS, baristas=10), costs, Sample(1, 5), seed=1)
    rows = list(simulate.as_load_grows(question, question.play()))
    assert [row[0] for row in rows[:3]] == ["x1", "x2", "x4"]
    assert rows[-1][-1].startswith("houses")
    assert not any(row[-1].startswith("houses") for row in rows[3:-1])
