"""Which connections are accepted, and which addresses connect too often."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.limits import admission as module
from cafe.limits.address import parse_networks
from cafe.limits.admission import (
    MOST_WASTED,
    PERIOD,
    QUICK_SECONDS,
    SUSPICIOUS,
    Admission,
    ConnectionRates,
    Lease,
)
from cafe.limits.rate_limiter import Limits

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
PER_ADDRESS = 1200
"""The default of CAFE_LIMIT_CONNECTIONS."""
BROWSER = 3
"""Connections that a browser opens."""


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def admit(admission: Admission, host: str) -> Lease:
    lease = admission.admit(host)
    assert lease is not None
    return lease


def test_an_address_may_have_as_many_connections_as_its_cap() -> None:
    admission = Admission(2, 10, now=Clock())
    first, _ = admit(admission, A), admit(admission, A)
    assert admission.admit(A) is None
    admit(admission, B)
    first.release()
    admit(admission, A)
    assert (admission.open, admission.refused) == (3, 1)


def test_all_together_may_have_as_many_as_the_total() -> None:
    admission = Admission(None, 2, now=Clock())
    leases = [admit(admission, A), admit(admission, A)]
    assert admission.admit(B) is None
    leases[0].release()
    admit(admission, B)


def test_a_lease_released_twice_counts_once() -> None:
    admission = Admission(1, 10, now=Clock())
    lease = admit(admission, A)
    lease.release()
    lease.release()
    assert admission.open == 0


def test_addresses_of_one_ipv6_network_and_mapped_ones_share_a_cap() -> None:
    admission = Admission(1, 10, now=Clock())
    admit(admission, "2001:db8::1")
    assert admission.admit("2001:db8::2") is None
    admit(admission, "::ffff:192.0.2.1")
    assert admission.admit(A) is None


def test_a_trusted_proxy_is_bounded_by_the_total_alone() -> None:
    admission = Admission(1, 3, parse_networks("192.0.2.0/24"), now=Clock())
    for _ in range(3):
        admit(admission, A)
    assert admission.admit(A) is None
    assert admission.take_refusals() == ()
    assert admission.refused == 1


def test_a_ban_closes_what_is_open_and_refuses_what_comes() -> None:
    clock = Clock()
    admission = Admission(10, 10, now=clock)
    closed: list[str] = []
    for name, host in (("a1", A), ("a2", A), ("b", B)):
        admit(admission, host).abort = partial(closed.append, name)
    admission.ban(A, until=60)
    assert sorted(closed) == ["a1", "a2"]
    assert admission.admit(A) is None
    admit(admission, B)


def test_a_connection_may_be_released_by_its_ban() -> None:
    admission = Admission(10, 10, now=Clock())
    leases = [admit(admission, A) for _ in range(3)]
    for lease in leases:
        lease.abort = lease.release
    admission.ban(A, until=60)
    assert admission.open == 0


def test_a_ban_ends_by_itself() -> None:
    clock = Clock()
    admission = Admission(10, 10, now=clock)
    admission.ban(A, until=60)
    clock.seconds = 59.9
    assert admission.admit(A) is None
    clock.seconds = 60
    admit(admission, A)


def test_refusals_are_reported_once_and_by_address() -> None:
    admission = Admission(1, 10, now=Clock())
    admit(admission, A)
    for host in (A, A, B):
        admission.admit(host)
    admission.ban(B, until=60)
    admission.admit(B)
    assert sorted(admission.take_refusals()) == [(A, 2), (B, 1)]
    assert admission.take_refusals() == ()
    assert admission.refused == 3


def test_a_connection_without_http_counts_against_its_address_but_not_against_a_proxy() -> None:
    admission = Admission(per_address=9, total=9, trusted=parse_networks(C), now=lambda: 0.0)
    for host in (A, A, C):
        lease = admission.admit(host)
        assert lease is not None
        lease.blame()
    assert (admission.malformed, admission.refused) == (3, 0)
    assert admission.take_refusals() == ((A, 2),)


def test_refusals_by_the_total_are_counted_against_no_address() -> None:
    admission = Admission(10, 1, now=Clock())
    admit(admission, A)
    assert admission.admit(B) is None
    assert admission.refused == 1
    assert admission.take_refusals() == ()


def test_bans_and_refusals_that_are_kept_are_bounded() -> None:
    clock = Clock()
    admission = Admission(10, 10, now=clock)
    hosts = [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(module.MAX_BANS + 10)]
    for host in hosts:
        admission.ban(host, until=60)
    for host in hosts[: module.MAX_REPORTED + 10]:
        admission.admit(host)
    assert len(admission._bans) == module.MAX_BANS  # pyright: ignore[reportPrivateUsage] - memory
    assert len(admission.take_refusals()) == module.MAX_REPORTED
    clock.seconds = 60
    admission.ban("192.0.2.9", until=120)
    assert len(admission._bans) == 1  # pyright: ignore[reportPrivateUsage] - the same


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.booleans())))
def test_it_counts_like_a_plain_list_of_the_open_ones(events: list[tuple[str, bool]]) -> None:
    admission = Admission(per_address=2, total=4, now=Clock())
    model: list[tuple[str, Lease]] = []
    for host, opens in events:
        if opens:
            names = [name for name, _ in model]
            lease = admission.admit(host)
            assert (lease is not None) == (names.count(host) < 2 and len(names) < 4)
            if lease is not None:
                model.append((host, lease))
        elif model:
            model.pop(0)[1].release()
        assert admission.open == len(model)


def test_the_newest_bans_in_force_come_first_and_a_ban_imposed_again_is_new() -> None:
    clock = Clock()
    admission = Admission(10, 10, now=clock)
    for host, until in ((A, 60.0), (B, 30.0), (C, 90.0), (A, 120.0)):
        admission.ban(host, until)
    assert list(admission.newest_bans()) == [(A, 120.0), (C, 90.0), (B, 30.0)]
    clock.seconds = 30
    assert list(admission.newest_bans()) == [(A, 120.0), (C, 90.0)]
    clock.seconds = 30.5  # it is not swept again so soon
    admission.ban(B, until=30.6)
    clock.seconds = 30.7
    assert list(admission.newest_bans()) == [(A, 120.0), (C, 90.0)]


def test_events_are_set_by_bans_and_by_closed_connections() -> None:
    admission = Admission(10, 10, now=Clock())
    lease = admit(admission, A)
    assert not admission.bans_changed.is_set()
    admission.ban(B, until=60)
    assert admission.bans_changed.is_set()
    assert not admission.released.is_set()
    lease.release()
    assert admission.released.is_set()


def waste(admission: Admission, host: str, times: int) -> None:
    """Connect and disconnect at once, before any response."""
    for _ in range(times):
        admit(admission, host).release()


def test_an_address_that_wastes_connections_is_refused_and_reported() -> None:
    clock = Clock()
    admission = Admission(1000, 1000, now=clock)
    waste(admission, A, MOST_WASTED)
    assert admission.take_refusals() == ()
    assert [admission.admit(A) for _ in range(3)] == [None] * 3
    admit(admission, B)
    assert admission.take_refusals() == ((A, 3),)
    clock.seconds += QUICK_SECONDS
    admit(admission, A)


def test_a_connection_that_was_answered_or_lasted_is_not_wasted() -> None:
    clock = Clock()
    admission = Admission(1000, 1000, now=clock)
    for _ in range(MOST_WASTED):
        lease = admit(admission, A)
        lease.was_used = True
        lease.release()
    leases = [admit(admission, A) for _ in range(MOST_WASTED)]
    clock.seconds += QUICK_SECONDS
    for lease in leases:
        lease.release()
    assert admission.admit(A, has_left=lambda: True) is not None


def test_a_suspect_that_has_left_already_is_refused() -> None:
    admission = Admission(1000, 1000, now=Clock())
    waste(admission, A, SUSPICIOUS)
    assert admission.admit(A, has_left=lambda: True) is None
    assert (admission.open, admission.refused) == (0, 1)
    assert admission.take_refusals() == ((A, 1),)
    assert admission.admit(A, has_left=lambda: False) is not None


def test_a_proxy_and_addresses_without_a_cap_may_waste_connections() -> None:
    for admission in (
        Admission(1000, 1000, parse_networks(A), now=Clock()),
        Admission(None, 1000, now=Clock()),
    ):
        waste(admission, A, 2 * MOST_WASTED)
        assert admission.admit(A, has_left=lambda: True) is not None


def come(rates: ConnectionRates, times: int, now: float) -> int:
    """Connect this often; return how many connections were too many."""
    too_fast = 0
    for _ in range(times):
        if rates.is_too_fast(A, now):
            too_fast += 1
        else:
            rates.came(A, now)
    return too_fast


def test_two_groups_of_200_browsers_may_connect_twice_in_one_period() -> None:
    rates = ConnectionRates(PER_ADDRESS)
    assert come(rates, 2 * 200 * BROWSER, now=0.0) == 0
    assert come(rates, 2 * 200 * BROWSER, now=PERIOD / 2) == 0


def test_customers_within_the_limits_may_use_a_new_connection_for_each_request() -> None:
    rates = ConnectionRates(PER_ADDRESS)
    limits = Limits()
    assert come(rates, limits.waiting * BROWSER + limits.requests, now=0.0) == 0


def test_a_whole_group_may_disconnect_at_once_every_second() -> None:
    rates = ConnectionRates(PER_ADDRESS)
    for second in range(5):
        now = second * QUICK_SECONDS
        assert come(rates, 200, now) == 0
        for _ in range(200 - 1):
            rates.left(A, now, now)
        assert not rates.is_too_fast(A, now)


def test_more_wasted_connections_are_too_many_until_the_second_is_over() -> None:
    rates = ConnectionRates(PER_ADDRESS)
    for _ in range(MOST_WASTED):
        assert not rates.is_too_fast(B, 0.5)
        rates.left(B, 0.5, 0.5)
    assert rates.is_too_fast(B, 0.9)
    assert not rates.is_too_fast(A, 0.9)
    assert not rates.is_too_fast(B, 0.5 + QUICK_SECONDS)


def test_an_address_that_wastes_some_is_suspect() -> None:
    rates = ConnectionRates(PER_ADDRESS)
    for _ in range(SUSPICIOUS):
        assert not rates.is_suspect(B, 0.0)
        rates.left(B, 0.0, 0.0)
    assert rates.is_suspect(B, 0.0)
    assert not rates.is_suspect(A, 0.0)


@pytest.mark.parametrize(("per_address", "most"), [(PER_ADDRESS, 2 * PER_ADDRESS), (1, 400)])
def test_an_address_that_reconnects_all_the_time_is_too_fast_in_the_end(
    per_address: int, most: int
) -> None:
    rates = ConnectionRates(per_address)
    assert come(rates, most, now=0.0) == 0
    assert come(rates, 10, now=PERIOD - 0.1) == 10
    assert come(rates, 10, now=PERIOD) == 0


def test_only_so_many_addresses_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ADDRESSES", 1)
    rates = ConnectionRates(per_address=1)
    for _ in range(400):
        for address in (B, A):
            rates.came(address, 0.0)
    assert rates.is_too_fast(B, 0.0)
    assert not rates.is_too_fast(A, 0.0)
