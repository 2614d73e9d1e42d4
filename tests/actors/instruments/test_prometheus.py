"""The instrument for Prometheus: its figures, and which actors it shows."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from actors import ActorCrashed, Message, Ref, Strategy, open_system
from actors.instruments.prometheus import PrometheusInstrument
from actors.testing import settle
from tests.actors.counter import Add, Asker, Counter, Crash, No
from tests.actors.instruments.works import Keep, Stopwatch, Wait, Work, Works, crashed, refused

pytestmark = pytest.mark.schedules(5)


def figures(instrument: PrometheusInstrument) -> dict[str, float]:
    """Return the exported figures as Prometheus reads them, with the labels in the names."""
    registry = CollectorRegistry()
    registry.register(instrument)
    text = generate_latest(registry).decode()
    samples = [
        sample for family in text_string_to_metric_families(text) for sample in family.samples
    ]
    assert all(set(sample.labels) - {"le"} == {"actor"} for sample in samples)
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for sample in samples
    }


async def scenario(works: Ref[Works], *messages: Message[Works, Any]) -> None:
    for message in messages:
        with suppress(No, ActorCrashed), trio.move_on_after(60):
            await works.ask(message)


async def test_handled_refused_skipped_and_crashed_messages_are_counted_by_actor() -> None:
    stopwatch = Stopwatch()
    seen = PrometheusInstrument(clock=stopwatch)
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        works = await system.start(partial(Works, stopwatch), name="works")
        await scenario(works, Work(0), Keep(0), refused(0), refused(0), *[crashed(0)] * 3)
        await works.tell(Wait(1))
        await settle()
        cancelled, stays = Asker(nursery, works, Work(0)), Asker(nursery, works, Work(0))
        await settle()
        cancelled.cancel()
        shown = figures(seen)
        await stays.done.wait()
        later = figures(seen)
    counts = {name: value for name, value in shown.items() if "_handling_" not in name}
    assert counts == {
        "actor_queued works": 2,
        "actor_handled_total works": 2,
        "actor_refused_total works": 2,
        "actor_skipped_total works": 0,
        "actor_crashed_total works": 3,
        "actor_restarts_total works": 3,
    }
    assert shown["actor_handling_seconds_count works"] == 7
    moved = {name: later[name] - shown[name] for name in counts}
    assert {name.split()[0]: value for name, value in moved.items() if value} == {
        "actor_queued": -2,
        "actor_handled_total": 2,
        "actor_skipped_total": 1,
    }


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        (Work(0.25), 0.25),
        (Keep(1), 1),
        (refused(1), 1),
        (crashed(1), 1),
        (Wait(4), 4),
        (Wait(2, working=2), 4),
        (Wait(90), 60),
    ],
)
async def test_a_handlers_time_is_from_its_start_to_its_end_by_the_clock(
    message: Message[Works, Any], seconds: float
) -> None:
    stopwatch = Stopwatch()
    seen = PrometheusInstrument(clock=stopwatch)
    async with open_system(instruments=[seen]) as system:
        works = await system.start(partial(Works, stopwatch), name="works")
        await scenario(works, message)
        await settle()
        shown = figures(seen)
    assert shown["actor_handling_seconds_sum works"] == pytest.approx(seconds)
    assert shown["actor_handling_seconds_count works"] == 1


async def test_an_async_handlers_time_is_its_own_whatever_others_do_meanwhile() -> None:
    stopwatch = Stopwatch()
    seen = PrometheusInstrument(clock=stopwatch)
    async with open_system(instruments=[seen]) as system:
        works = await system.start(partial(Works, stopwatch), name="works")
        other = await system.start(partial(Works, stopwatch), name="other")
        await other.tell(Wait(4))
        await settle()
        await works.ask(Work(2))
        assert "actor_handling_seconds_count other" in figures(seen)
        await other.ask(Work(0))
        shown = figures(seen)
    assert shown["actor_handling_seconds_sum works"] == 2
    assert shown["actor_handling_seconds_sum other"] == 6


async def test_a_bucket_counts_all_that_took_no_longer_than_its_bound() -> None:
    stopwatch = Stopwatch()
    seen = PrometheusInstrument(clock=stopwatch, buckets=(0.5, 2, 8))
    async with open_system(instruments=[seen]) as system:
        works = await system.start(partial(Works, stopwatch), name="works")
        await scenario(works, *map(Work, (0, 0.5, 0.75, 2, 32)))
        shown = figures(seen)
    buckets = {name.split()[-1]: v for name, v in shown.items() if "_bucket" in name}
    assert buckets == {"0.5": 2, "2": 4, "8": 4, "+Inf": 5}
    assert shown["actor_handling_seconds_sum works"] == 35.25


async def test_the_names_begin_with_the_prefix() -> None:
    seen = PrometheusInstrument("cafe_actor")
    async with open_system(instruments=[seen]) as system:
        await (await system.start(Counter, name="counter")).ask(Add())
        shown = figures(seen)
    assert {name.removeprefix("cafe_actor_").split()[0] for name in shown} == {
        "queued",
        *(f"{what}_total" for what in ("handled", "refused", "skipped", "crashed", "restarts")),
        *(f"handling_seconds_{what}" for what in ("bucket", "count", "sum")),
    }
    assert all(name.startswith("cafe_actor_") for name in shown)


async def test_a_restarted_actor_goes_on_counting() -> None:
    seen = PrometheusInstrument()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        await counter.ask(Add())
        with suppress(ActorCrashed):
            await counter.ask(Crash())
        await counter.ask(Add())
        shown = figures(seen)
    assert shown["actor_handled_total counter"] == 2
    assert shown["actor_handling_seconds_count counter"] == 3


async def test_an_actor_without_a_message_is_shown_once_its_system_is_watched() -> None:
    seen = PrometheusInstrument()
    async with open_system(instruments=[seen]) as system:
        await system.group(Strategy.ALL_FOR_ONE).start(Counter, name="idle")
        busy = await system.start(Counter, name="busy")
        await busy.ask(Add())
        assert names_in(figures(seen)) == ["busy"]
        before = figures(seen)
        seen.watch(system)
        shown = figures(seen)
    assert names_in(shown) == ["idle", "busy"]
    assert shown["actor_handled_total idle"] == shown["actor_handling_seconds_count idle"] == 0
    assert {name: shown[name] for name in before} == before


def names_in(shown: dict[str, float]) -> list[str]:
    return [name.split()[1] for name in shown if name.startswith("actor_queued ")]


@pytest.mark.parametrize("watched", [False, True])
async def test_an_actor_that_has_stopped_is_not_shown(*, watched: bool) -> None:
    seen = PrometheusInstrument()
    async with open_system(instruments=[seen]) as system:
        if watched:
            seen.watch(system)
        counter = await system.start(Counter, name="counter")
        await counter.ask(Add())
        counter.stop()
        await counter.wait_stopped()
        assert figures(seen) == {}
        again = await system.start(Counter, name="counter")
        await again.ask(Add())
        await again.ask(Add())
        assert figures(seen)["actor_handled_total counter"] == 2
        assert figures(seen)["actor_handling_seconds_count counter"] == 2
    assert figures(seen) == {}
    assert counter.statistics().handled == 1


async def test_an_actor_that_has_stopped_is_not_kept() -> None:
    seen = PrometheusInstrument()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter)
        await counter.ask(Add())
        counter.stop()
        await counter.wait_stopped()
        kept = weakref.ref(counter)
        del counter
        await settle()
        gc.collect()
        assert kept() is None
        assert figures(seen) == {}


async def test_only_actors_whose_names_are_chosen_are_shown() -> None:
    seen = PrometheusInstrument(named=lambda name: not name.startswith("session-"))
    async with open_system(instruments=[seen]) as system:
        seen.watch(system)
        for name in ("session-1", "counter", "session-2"):
            await (await system.start(Counter, name=name)).ask(Add())
        await system.start(Counter, name="session-3")
        assert names_in(figures(seen)) == ["counter"]


def test_a_registry_that_describes_collectors_refuses_duplicate_names() -> None:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(PrometheusInstrument())
    registry.register(PrometheusInstrument("another"))
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        registry.register(PrometheusInstrument())
