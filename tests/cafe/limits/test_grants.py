"""Grants: several fronts admit by themselves what one window has counted ahead."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cafe.limits import grants
from cafe.limits.grants import GRANT_SHARE, MOST_GRANTED, Grants
from cafe.limits.rate_limiter import CREDIT_SHARE, MOST_CREDIT
from cafe.limits.window import SlidingWindow
from tests.chance import examples

WIDTH = 10.0
START = 1_000_000.0
QUOTA = 60
FRONTS = 3
ADDRESS = "192.0.2.7"

fronts = st.integers(0, FRONTS - 1)


class GrantPlay(RuleBasedStateMachine):
    """One address at three fronts, each with a guard that passes requests on by credit."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.window = SlidingWindow(WIDTH)
        self.grants = [Grants[str](WIDTH) for _ in range(FRONTS)]
        self.credit = [0] * FRONTS
        self.let_through = [0] * FRONTS
        self.admitted: dict[float, int] = {}  # by bucket
        self.counted: dict[float, int] = {}

    @property
    def bucket(self) -> float:
        return self.now // WIDTH

    @rule(pause=st.one_of(st.floats(0, 1), st.floats(0, 2 * WIDTH)))
    def wait(self, pause: float) -> None:
        self.now += pause

    @rule(front=fronts)
    def pass_on(self, front: int) -> None:
        """Use credit, as a guard does, which does not know of buckets."""
        if self.credit[front]:
            self.credit[front] -= 1
            self.let_through[front] += 1
            self.admit()

    @rule(front=fronts, times=st.integers(1, 40))
    def come(self, front: int, times: int) -> None:
        for _ in range(times):
            self.ask(front)

    def ask(self, front: int) -> None:
        table, let_through = self.grants[front], self.let_through[front]
        self.credit[front] = self.let_through[front] = 0
        grant = table.take(ADDRESS, let_through, self.now)
        if grant is None:
            uncounted, wanted = table.ask(ADDRESS, let_through, self.now)
            self.count(uncounted)
            refused = self.window.seconds_until_room(QUOTA, self.now) > 0
            table.end_asking(ADDRESS)
            if refused:
                return
            self.count(1)
            remaining = int(QUOTA - self.window.estimate(self.now))
            granted = min(wanted, remaining // CREDIT_SHARE)
            self.count(granted)
            grant = table.receive(ADDRESS, granted, (self.bucket + 1) * WIDTH)
        self.credit[front] = grant.left
        self.admit()

    def count(self, times: int) -> None:
        self.window.add(self.now, times)
        self.counted[self.bucket] = self.counted.get(self.bucket, 0) + times

    def admit(self) -> None:
        self.admitted[self.bucket] = self.admitted.get(self.bucket, 0) + 1

    @invariant()
    def what_is_counted_in_a_bucket_is_within_the_limit(self) -> None:
        assert all(times <= QUOTA for times in self.counted.values())

    @invariant()
    def what_is_admitted_is_within_the_limit_but_for_credit_of_the_bucket_before(self) -> None:
        assert all(times <= QUOTA + FRONTS * MOST_GRANTED for times in self.admitted.values())
        assert sum(self.admitted.values()) <= sum(self.counted.values())

    @invariant()
    def a_grant_is_small_beside_what_was_asked(self) -> None:
        for table in self.grants:
            grant = table.get(ADDRESS)
            assert grant is None or grant.left <= min(MOST_GRANTED, grant.used // GRANT_SHARE)


GrantPlay.TestCase.settings = settings(max_examples=examples(50))
test_fronts_together_admit_what_was_counted = GrantPlay.TestCase


def asked(table: Grants[str], times: int, now: float = START) -> int:
    """Ask so often, and return how many are wanted with the last one."""
    wanted = 0
    for _ in range(times):
        _, wanted = table.ask(ADDRESS, 0, now)
        table.end_asking(ADDRESS)
    return wanted


@pytest.mark.parametrize(("times", "wanted"), [(1, 0), (3, 0), (4, 1), (8, 2), (64, 16), (99, 16)])
def test_the_more_an_address_asks_the_more_it_is_granted(times: int, wanted: int) -> None:
    assert asked(Grants(WIDTH), times) == wanted


def test_an_address_asks_for_one_grant_at_a_time() -> None:
    table = Grants[str](WIDTH)
    assert asked(table, 7) == 1
    assert table.ask(ADDRESS, 0, START) == (0, 2)
    assert table.ask(ADDRESS, 0, START) == (0, 0)
    table.end_asking(ADDRESS)
    assert table.ask(ADDRESS, 0, START) == (0, 2)


def test_a_grant_ends_with_its_bucket_and_what_was_passed_on_of_it_is_not_counted_again() -> None:
    table = Grants[str](WIDTH)
    asked(table, 40)
    table.receive(ADDRESS, 10, START + 5)
    assert table.take(ADDRESS, 3, START + 4.9) is not None
    assert table.take(ADDRESS, 0, START + 5) is None
    assert table.ask(ADDRESS, 8, START + 5)[0] == 2
    assert table.ask(ADDRESS, 8, START + 5)[0] == 8


def test_an_address_that_pauses_is_granted_less() -> None:
    table = Grants[str](WIDTH)
    asked(table, 64)
    table.receive(ADDRESS, 0, START + 5)
    # Of 64 at the pause half counts, and the one that comes now.
    assert asked(table, 1, START + 6) == 33 // GRANT_SHARE


def test_beyond_the_most_grants_an_address_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "MOST_GRANTS", 2)
    table = Grants[str](WIDTH)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        for _ in range(8):
            table.ask(address, 0, START)
    assert table.ask("192.0.2.3", 5, START) == (5, 0)
    assert table.receive("192.0.2.3", 0, START + 5).left == 0
    # Those that are quiet make room.
    table.ask("192.0.2.3", 0, START + WIDTH)
    assert list(table) == ["192.0.2.3"]


def test_the_address_that_was_quiet_for_longest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grants, "MOST_GRANTS", 2)
    table = Grants[str](WIDTH)
    table.ask("busy", 0, START)
    table.ask("quiet", 0, START)
    table.receive("busy", 0, START + 0.9 * WIDTH)
    table.ask("busy", 0, START + 0.8 * WIDTH)
    table.ask("new", 0, START + 1.5 * WIDTH)
    assert list(table) == ["busy", "new"]


def test_an_address_is_kept_as_long_as_its_grant() -> None:
    table = Grants[str](WIDTH)
    table.ask(ADDRESS, 0, START)
    table.receive(ADDRESS, 3, START + 1.2 * WIDTH)
    table.ask("new", 0, START + 1.1 * WIDTH)
    assert table.take(ADDRESS, 0, START + 1.1 * WIDTH) is not None


def test_a_grant_is_never_more_than_the_guard_gives_away() -> None:
    assert MOST_GRANTED == MOST_CREDIT
