"""The script that Redis runs, compared step by step with window.py and bans.py."""

from __future__ import annotations

import math
import re
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cafe.limits.bans import LONGEST, BanBook
from cafe.limits.rate_limiter import CREDIT_SHARE, Limits
from cafe.limits.script import (
    MICROSECONDS,
    SHA,
    SOURCE,
    Admitted,
    Answer,
    Asked,
    Call,
    Known,
    Outcome,
    decode,
    encode,
    members_of,
    microseconds,
)
from cafe.limits.window import WindowTable
from tests.chance import examples
from tests.machines.redis_server import RedisServer

LIMITS = Limits(requests=40, worker_requests=60, window_seconds=10.0, ban_after=10, ban_seconds=60)
WIDTH = microseconds(LIMITS.window_seconds)
START = 1_700_000_000 * MICROSECONDS
MINUTE = 60 * MICROSECONDS
PREFIXES = count()

addresses = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8:7::/64"])
pauses = st.one_of(
    st.just(0),
    st.integers(0, MICROSECONDS),
    st.integers(0, 3 * WIDTH),
    st.sampled_from([WIDTH // 2, WIDTH, MINUTE, 2 * MINUTE, microseconds(LONGEST)]),
)
admits = st.builds(
    Asked, addresses, st.sampled_from([1, 2]), st.integers(0, 20), st.integers(0, 16)
)
calls = st.builds(
    Call,
    refusals=st.lists(st.tuples(addresses, st.integers(1, 12)), max_size=2),
    lifts=st.lists(addresses, max_size=1),
    admits=st.lists(admits, max_size=4),
)


class Script:
    """The script in a server, under a prefix of its own."""

    def __init__(self, redis: RedisServer, limits: Limits = LIMITS) -> None:
        self._redis = redis
        self._limits = members_of(limits)
        self.prefix = f"cafe:t{next(PREFIXES)}:limits:"

    def __call__(self, now: int, call: Call) -> Answer:
        argument = encode(self._limits, call, now)
        words = (b"EVAL", SOURCE.encode(), b"0", self.prefix.encode(), argument)
        reply = self._redis.raw_command(*words)
        assert reply.startswith(b"$"), reply
        return decode(reply.partition(b"\r\n")[2].removesuffix(b"\r\n"))

    def admit(self, now: int, address: str, uncounted: int = 0, wanted: int = 0) -> Admitted:
        (admitted,) = self(now, Call(admits=[Asked(address, 1, uncounted, wanted)])).admitted
        return admitted

    def kept(self) -> list[str]:
        return re.findall(f"{self.prefix}[^\r]*", self._redis.command("KEYS", f"{self.prefix}*"))


class Model:
    """What the RateLimiter of one process does, in whole microseconds, and with grants."""

    def __init__(self) -> None:
        most = LIMITS.max_addresses
        self.quotas = {1: LIMITS.requests, 2: LIMITS.worker_requests}
        self.tables = {port: WindowTable(WIDTH, most) for port in self.quotas}
        self.book = BanBook(
            after=LIMITS.ban_after,
            seconds=MINUTE,
            window_seconds=WIDTH,
            most=most,
            longest=microseconds(LONGEST),
        )

    def __call__(self, now: int, call: Call) -> tuple[list[bool], list[Admitted], list[Known]]:
        before = self.book.revision
        lifted = [self.book.lift(address, now) for address in call.lifts]
        for address, times in call.refusals:
            self.book.record(address, times, now)
        admitted = [self.admit(now, asked) for asked in call.admits]
        news = [
            Known(ban.address, round(ban.until - now), round(ban.seconds))
            for ban in self.book.since(before, now)
        ]
        news += [Known(address, 0, 0) for address in self.book.lifted_since(before)]
        return lifted, admitted, news

    def admit(self, now: int, asked: Asked) -> Admitted:
        address, quota = asked.address, self.quotas[asked.port]
        if self.book.seconds_left(address, now):
            return self.refused(Outcome.BANNED, address, 0, now)
        window = self.tables[asked.port].window_of(address, now)
        if asked.uncounted:
            window.add(now, asked.uncounted)
        if wait := window.seconds_until_room(quota, now):
            return self.refused(Outcome.OVER_LIMIT, address, wait, now)
        window.add(now)
        remaining = int(quota - window.estimate(now))
        granted = min(remaining // CREDIT_SHARE, asked.wanted)
        window.add(now, granted)
        quiet = round(window.seconds_until_quiet(now))
        return Admitted(Outcome.ADMITTED, remaining - granted, quiet, granted)

    def refused(self, outcome: Outcome, address: str, wait: float, now: int) -> Admitted:
        self.book.record(address, 1, now)
        left = self.book.seconds_left(address, now)
        return Admitted(outcome, 0, math.ceil(max(wait, left)), 0)


# The server is the same for all examples, and each has a prefix of its own.
@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(pauses, calls), max_size=25))
def test_the_script_does_what_the_models_do(
    redis: RedisServer, steps: list[tuple[int, Call]]
) -> None:
    script, model = Script(redis), Model()
    now, seen = START, 0
    for pause, call in steps:
        now += pause
        call.seen = seen
        seen = agreed(script, model, now, call).revision
    for key in script.kept():
        assert re.match(rf"{script.prefix}(\w+:\d+|bans|news|revision)$", key)
        assert redis.command("PTTL", key) != ":-1\r\n"


def agreed(script: Script, model: Model, now: int, call: Call) -> Answer:
    """Return the answer of the script to a call, which has to be the model's."""
    answer = script(now, call)
    lifted, admitted, news = model(now, call)
    assert (answer.lifted, answer.admitted) == (lifted, admitted)
    assert sorted(answer.news) == sorted(news)
    assert answer.bucket_left == WIDTH - now % WIDTH
    return answer


def test_the_ban_of_an_address_that_never_stops_doubles_up_to_the_longest(
    redis: RedisServer,
) -> None:
    script, model = Script(redis), Model()
    answer = agreed(script, model, START, Call(refusals=[("192.0.2.1", LIMITS.ban_after)]))
    lengths = [ban.seconds for ban in answer.news]
    for now in range(START, START + 20 * MINUTE, WIDTH // 2):
        admits = [Asked("192.0.2.1", 1, 0, 0)] * LIMITS.ban_after
        answer = agreed(script, model, now, Call(admits=admits, seen=answer.revision))
        lengths += [ban.seconds for ban in answer.news]
    doubled = [2**times * MINUTE for times in range(6)]
    assert lengths[:6] == doubled
    assert set(lengths[6:]) == {microseconds(LONGEST)}


def test_the_hash_of_the_script_is_redis_own(redis: RedisServer) -> None:
    assert redis.command("SCRIPT", "LOAD", SOURCE).split("\r\n")[1] == SHA


def test_without_a_time_the_time_is_that_of_redis(redis: RedisServer) -> None:
    script = Script(redis)
    server = redis.command("TIME").split("\r\n")
    answer = script(0, Call(admits=[Asked("192.0.2.1", 1, 0, 0)]))
    (key,) = script.kept()
    assert answer.bucket_left <= WIDTH
    assert int(key.rpartition(":")[2]) - int(server[2]) * MICROSECONDS // WIDTH in (0, 1)


def test_windows_expire_when_they_are_over_and_bans_when_they_no_longer_count(
    redis: RedisServer,
) -> None:
    script = Script(redis)
    script(START, Call(admits=[Asked("192.0.2.1", 1, 0, 0)], refusals=[("192.0.2.2", 9)]))
    script(START, Call(refusals=[("192.0.2.3", 10)]))
    left = {
        key.removeprefix(script.prefix).partition(":")[0]: int(redis.command("PTTL", key)[1:])
        for key in script.kept()
    }
    windows = {name: left.pop(name) for name in ("customers", "refusals")}
    assert all(0 < milliseconds <= 20_001 for milliseconds in windows.values())
    assert left.keys() == {"bans", "news", "revision"}
    assert all(3_500_000 < milliseconds <= 3_600_001 for milliseconds in left.values())


def test_a_flood_of_addresses_shares_one_window_and_does_not_affect_known_ones(
    redis: RedisServer,
) -> None:
    script = Script(redis, Limits(requests=10, ban_after=5, max_addresses=3))
    assert script.admit(START, "192.0.2.7").remaining == 9
    flood = [f"2001:db8:{n:x}::/64" for n in range(100)]
    outcomes = [script.admit(START, address, 0, 16) for address in flood]
    # Two more get a window of their own, and ten what the others share.
    assert [one.outcome for one in outcomes] == [Outcome.ADMITTED] * 12 + [Outcome.OVER_LIMIT] * 88
    assert [one.granted for one in outcomes[2:]] == [0] * 98
    assert script.admit(START, "192.0.2.7").remaining == 8
    script(START, Call(refusals=[(address, 1) for address in flood]))
    assert int(redis.command("HLEN", f"{script.prefix}customers:{START // WIDTH}")[1:]) == 4
    assert int(redis.command("HLEN", f"{script.prefix}refusals:{START // WIDTH}")[1:]) <= 3


def test_an_address_of_the_last_bucket_keeps_its_window_in_a_full_table(
    redis: RedisServer,
) -> None:
    script = Script(redis, Limits(requests=10, ban_after=5, max_addresses=3))
    script.admit(START, "192.0.2.7", 4)
    later = START + WIDTH
    for n in range(10):
        script.admit(later, f"192.0.2.{100 + n}")
    assert script.admit(later + WIDTH // 2, "192.0.2.7").remaining == 10 - 1 - 3
    flooded = f"{script.prefix}customers:{later // WIDTH}"
    assert int(redis.command("HLEN", flooded)[1:]) <= 2 * 3 + 1


def test_a_full_book_bans_no_other_address_and_keeps_its_bans(redis: RedisServer) -> None:
    script = Script(redis, Limits(ban_after=5, max_addresses=2))
    for n in (1, 2, 3):
        script(START, Call(refusals=[(f"192.0.2.{n}", 5)]))
    answer = script(START, Call())
    assert [known.address for known in answer.news] == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("most", [1, 499, 500, 501])
def test_bans_are_read_in_pages_until_all_are_known(redis: RedisServer, most: int) -> None:
    script = Script(redis)
    names = [f"192.0.{n // 256}.{n % 256}" for n in range(most)]
    script(START, Call(refusals=[(name, 10) for name in names]))
    found: list[str] = []
    seen, is_all = 0, False
    while not is_all:
        answer = script(START, Call(seen))
        seen, is_all = answer.revision, answer.is_all
        found += [known.address for known in answer.news]
    assert found == names


def test_a_front_that_knows_bans_of_a_server_that_was_emptied_gets_those_that_are_new(
    redis: RedisServer,
) -> None:
    script = Script(redis)
    script(START, Call(refusals=[("192.0.2.1", 10)]))
    ahead = 2 * START  # seen of a server whose clock was ahead
    assert [known.address for known in script(START, Call(ahead)).news] == ["192.0.2.1"]


def test_a_ban_that_is_offered_is_entered_unless_it_is_known_or_was_lifted_since(
    redis: RedisServer,
) -> None:
    script = Script(redis)
    ban = Known("192.0.2.1", MINUTE - MICROSECONDS, MINUTE)
    first = script(START, Call(offered=[ban]))
    assert first.news == [ban]
    again = script(START, Call(first.revision, offered=[ban]))
    assert (again.revision, again.news) == (first.revision, [])
    script(START, Call(lifts=["192.0.2.1"]))
    assert script(START, Call(offered=[ban])).news == [Known("192.0.2.1", 0, 0)]
    longer = Known("192.0.2.1", 2 * MINUTE, 2 * MINUTE)
    assert script(START + MINUTE, Call(offered=[longer])).news == [longer]
