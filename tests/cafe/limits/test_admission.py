from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from cafe.limits import admission as module
from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission, Lease
from cafe.limits.pace import MOST_WASTED, QUICK_SECONDS, SUSPICIOUS

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class Clock:
    """Time that passes when it is told to."""

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


def test_a_lease_given_back_twice_counts_once() -> None:
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


def test_refusals_are_told_once_and_by_address() -> None:
    admission = Admission(1, 10, now=Clock())
    admit(admission, A)
    for host in (A, A, B):
        admission.admit(host)
    admission.ban(B, until=60)
    admission.admit(B)
    assert sorted(admission.take_refusals()) == [(A, 2), (B, 1)]
    assert admission.take_refusals() == ()
    assert admission.refused == 3


def test_what_is_no_http_is_counted_against_its_address_but_not_against_a_proxy() -> None:
    admission = Admission(per_address=9, total=9, trusted=parse_networks(C), now=lambda: 0.0)
    for host in (A, A, C):
        lease = admission.admit(host)
        assert lease is not None
        admission.blame(lease)
    assert (admission.malformed, admission.refused) == (3, 0)
    assert admission.take_refusals() == ((A, 2),)


def test_refusals_by_the_total_are_counted_and_told_as_nobodys() -> None:
    admission = Admission(10, 1, now=Clock())
    admit(admission, A)
    assert admission.admit(B) is None
    assert admission.refused == 1
    assert admission.take_refusals() == ()


def test_what_is_remembered_is_bounded() -> None:
    clock = Clock()
    admission = Admission(10, 10, now=clock)
    hosts = [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(module.MAX_BANS + 10)]
    for host in hosts:
        admission.ban(host, until=60)
    for host in hosts[: module.MAX_TOLD + 10]:
        admission.admit(host)
    assert len(admission._bans) == module.MAX_BANS  # pyright: ignore[reportPrivateUsage] - memory
    assert len(admission.take_refusals()) == module.MAX_TOLD
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


def test_whoever_waits_for_news_is_told_of_bans_and_of_closed_connections() -> None:
    admission = Admission(10, 10, now=Clock())
    lease = admit(admission, A)
    assert not admission.bans_changed.is_set()
    admission.ban(B, until=60)
    assert admission.bans_changed.is_set()
    assert not admission.released.is_set()
    lease.release()
    assert admission.released.is_set()


def waste(admission: Admission, host: str, times: int) -> None:
    """Connect, and leave at once without having been answered."""
    for _ in range(times):
        admit(admission, host).release()


def test_whoever_connects_for_nothing_is_refused_and_told_of() -> None:
    clock = Clock()
    admission = Admission(1000, 1000, now=clock)
    waste(admission, A, MOST_WASTED)
    assert admission.take_refusals() == ()
    assert [admission.admit(A) for _ in range(3)] == [None] * 3
    admit(admission, B)
    assert admission.take_refusals() == ((A, 3),)
    clock.seconds += QUICK_SECONDS
    admit(admission, A)


def test_nothing_is_wasted_that_was_answered_or_lasted() -> None:
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
    assert not admission.is_suspect(admit(admission, A))


def test_a_suspect_who_has_left_already_is_refused_afterwards() -> None:
    admission = Admission(1000, 1000, now=Clock())
    waste(admission, A, SUSPICIOUS)
    lease = admit(admission, A)
    assert admission.is_suspect(lease)
    admission.refuse(lease)
    assert (admission.open, admission.refused) == (0, 1)
    assert admission.take_refusals() == ((A, 1),)


def test_a_proxy_and_whoever_has_no_cap_of_his_own_may_waste_what_they_like() -> None:
    for admission in (
        Admission(1000, 1000, parse_networks(A), now=Clock()),
        Admission(None, 1000, now=Clock()),
    ):
        waste(admission, A, 2 * MOST_WASTED)
        assert not admission.is_suspect(admit(admission, A))
