"""The streams of a shop on a real Redis: add, read, outages, an empty restart, bounds."""

from __future__ import annotations

import time
from collections.abc import Generator

import pytest
import structlog
import trio

from cafe.bus.codec import VERSION, WrongVersion
from cafe.bus.streams import (
    LIVES_SECONDS,
    LOG_SECONDS,
    MOST_ENTRIES,
    STREAM_SECONDS,
    Bus,
    Names,
    StreamEntry,
    open_bus,
)
from tests.machines.redis_server import PAUSE, RedisServer, running_redis, why_not
from tests.system.until import until

NAMES = Names("north")


@pytest.fixture(scope="module")
def running() -> Generator[RedisServer]:
    """Yield a server for all tests here."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with running_redis() as server:
        yield server


@pytest.fixture
def redis(running: RedisServer) -> RedisServer:
    """Return the server, empty."""
    running.command("FLUSHALL")
    return running


async def read_some(bus: Bus, ids: dict[str, bytes]) -> tuple[list[bytes], dict[str, bytes]]:
    """Wait for entries; return their bodies and the ids to go on from."""
    with trio.fail_after(10):
        while True:
            entries, ids = await bus.read(ids)
            if entries:
                return [bytes(body) for _, body in entries], ids


async def test_entries_are_read_in_the_sequence_in_which_they_were_added(
    redis: RedisServer,
) -> None:
    async with open_bus(redis.url, NAMES) as one, open_bus(redis.url, NAMES) as other:
        ids = await other.last_of([NAMES.asks])
        assert await one.add(
            [StreamEntry(NAMES.asks, body, "asks") for body in (b"first", b"second")]
        )
        bodies, ids = await read_some(other, ids)
        assert bodies == [b"first", b"second"]
        await one.add([StreamEntry(NAMES.asks, b"third", "asks")])
        assert (await read_some(other, ids))[0] == [b"third"]


async def test_shops_on_one_server_do_not_read_each_other_s_entries(redis: RedisServer) -> None:
    south = Names("south")
    async with open_bus(redis.url, NAMES) as north, open_bus(redis.url, south) as other:
        ids = await other.last_of([south.asks])
        await north.add([StreamEntry(NAMES.asks, b"of north", "asks")])
        await other.add([StreamEntry(south.asks, b"of south", "asks")])
        assert (await read_some(other, ids))[0] == [b"of south"]


async def test_entries_are_lost_during_an_outage_and_added_again_after_it(
    redis: RedisServer,
) -> None:
    async with open_bus(redis.url, NAMES) as bus:
        ids = await bus.last_of([NAMES.log])
        redis.stop()
        try:
            assert not await bus.add([StreamEntry(NAMES.log, b"lost", "log")])
            assert bus.is_away
        finally:
            redis.start()
        with trio.fail_after(10):
            while not await bus.add([StreamEntry(NAMES.log, b"after", "log")]):
                pass
        assert not bus.is_away
        assert (await read_some(bus, ids))[0] == [b"after"]


async def test_an_outage_is_logged_once_with_its_cause(
    redis: RedisServer,
) -> None:
    with structlog.testing.capture_logs() as lines:
        async with open_bus(redis.url, NAMES) as bus:
            await bus.last_of([NAMES.log])
            with redis.frozen():
                assert not await bus.add([StreamEntry(NAMES.log, b"lost", "log")])
                assert not await bus.add([StreamEntry(NAMES.log, b"lost, too", "log")])
    (line,) = lines
    assert (line["event"], line["detail"]) == ("bus unavailable", "TooSlowError")


async def test_while_redis_is_full_no_front_counts_as_disconnected_and_the_bus_is_away(
    redis: RedisServer,
) -> None:
    async with open_bus(redis.url, NAMES) as bus:
        ids = await bus.last_of([NAMES.log])
        assert await bus.living(["front"]) == set()
        redis.command("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
        try:
            assert not await bus.add([StreamEntry(NAMES.log, b"lost", "log")])
            for _ in range(5):  # with pauses, in which it reconnects
                assert await bus.living(["front"]) is None  # it cannot renew its key
            await bus.read(ids)  # reading still works
            assert bus.is_away
        finally:
            redis.command("CONFIG", "SET", "maxmemory", "0")
        assert await bus.living(["front"]) == set()
        assert not bus.is_away


async def test_a_reader_goes_on_at_a_server_whose_ids_begin_lower(redis: RedisServer) -> None:
    found: list[bytes] = []
    async with open_bus(redis.url, NAMES) as bus, trio.open_nursery() as nursery:
        redis.stop()

        async def read() -> None:
            bodies, _ids = await read_some(bus, {NAMES.asks: b"99999999999999-0"})
            found.extend(bodies)
            nursery.cancel_scope.cancel()

        nursery.start_soon(read)
        await until(lambda: bus.is_away)
        redis.start()
        while True:
            await bus.add([StreamEntry(NAMES.asks, b"of a new server", "asks")])
            await trio.sleep(PAUSE)
    assert set(found) == {b"of a new server"}


async def test_a_front_lives_as_long_as_it_renews_its_key(
    redis: RedisServer,
) -> None:
    async with open_bus(redis.url, NAMES) as bus:
        await bus.add([StreamEntry(NAMES.answers("a"), b"x", "answers")], renew="a")
        await bus.add([], renew="b")
        assert await bus.living(["a", "b", "c"]) == {"a", "b"}
        for key, seconds in (
            (NAMES.front("a"), LIVES_SECONDS),
            (NAMES.answers("a"), STREAM_SECONDS),
        ):
            left = int(redis.command("PTTL", key).removeprefix(":"))
            assert 0 < left <= seconds * 1000
        redis.command("PEXPIRE", NAMES.front("b"), "1")
        with trio.fail_after(10):
            while await bus.living(["a", "b", "c"]) != {"a"}:
                pass
        await bus.delete(NAMES.front("a"))
        assert await bus.living(["a"]) == set()


async def test_a_house_skips_asks_of_another_release_and_a_front_refuses_its_house(
    redis: RedisServer,
) -> None:
    other = bytes((VERSION[0] + 1, 0)).decode()
    async with open_bus(redis.url, NAMES) as bus:
        for stream in (NAMES.asks, NAMES.log):
            redis.command("XADD", stream, "*", "b", other)
            await bus.add([StreamEntry(stream, b"ours", "asks")])
        assert (await read_some(bus, {NAMES.asks: b"0-0"}))[0] == [b"ours"]
        with pytest.raises(WrongVersion):
            await read_some(bus, {NAMES.log: b"0-0"})


async def test_streams_are_bounded(redis: RedisServer) -> None:
    most = MOST_ENTRIES["answers"]
    async with open_bus(redis.url, NAMES) as bus:
        for _ in range(4):
            await bus.add([StreamEntry(NAMES.answers("a"), b"x", "answers")] * most)
    length = int(redis.command("XLEN", NAMES.answers("a")).removeprefix(":"))
    assert most <= length < 2 * most


async def test_what_was_read_is_removed_so_that_large_entries_do_not_fill_the_server(
    redis: RedisServer,
) -> None:
    large = bytes(2**18)
    async with open_bus(redis.url, NAMES) as house, open_bus(redis.url, NAMES) as front:
        asked, answered = {NAMES.asks: b"0-0"}, {NAMES.answers("a"): b"0-0"}
        redis.command("CONFIG", "SET", "maxmemory", "24mb", "maxmemory-policy", "noeviction")
        try:
            for _ in range(20):
                assert await front.add([StreamEntry(NAMES.asks, large, "asks")] * 8, renew="a")
                _, asked = await read_some(house, asked)
                assert await house.living(["a"]) == {"a"}
                answers = [StreamEntry(NAMES.answers("a"), large, "answers")] * 8
                assert await house.add(answers)
                _, answered = await read_some(front, answered)
        finally:
            redis.command("CONFIG", "SET", "maxmemory", "0")


async def test_a_server_that_large_entries_have_filled_has_room_once_they_are_read(
    redis: RedisServer,
) -> None:
    async with open_bus(redis.url, NAMES) as house, open_bus(redis.url, NAMES) as front:
        redis.command("CONFIG", "SET", "maxmemory", "24mb", "maxmemory-policy", "noeviction")
        try:
            entry = StreamEntry(NAMES.answers("a"), bytes(2**18), "answers")
            while await house.add([entry]):
                pass
            ids, read = {NAMES.answers("a"): b"0-0"}, 1
            while read:
                entries, ids = await front.read(ids)
                read = len(entries)
            with trio.fail_after(10):
                while not await front.add([], renew="a"):
                    pass
            assert await house.add([entry])
        finally:
            redis.command("CONFIG", "SET", "maxmemory", "0")


async def test_the_log_is_kept_for_some_time_and_not_longer(redis: RedisServer) -> None:
    async with open_bus(redis.url, NAMES) as bus:
        old, kept = (round((time.time() - age) * 1000) for age in (LOG_SECONDS + 60, 1))
        for milliseconds in (old, kept):
            for number in range(100):  # so many make a node, which is removed as a whole
                redis.command("XADD", NAMES.log, f"{milliseconds}-{number}", "b", "x")
        ids = await bus.last_of([NAMES.asks])
        await bus.add([StreamEntry(NAMES.asks, b"x", "asks")])
        await read_some(bus, ids)
        await bus.living(["a"])
    assert redis.command("XLEN", NAMES.log).strip() == ":100"
