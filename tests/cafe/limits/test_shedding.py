"""Idle connections make way for newcomers when all places are taken."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from cafe.limits import admission as module
from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission, Lease
from tests.cafe.limits.test_admission import A, B, C, Clock, admit

PROXY = "198.51.100.9"
TRUSTED = parse_networks("198.51.100.0/24")


class Crowd:
    """Idle connections of some addresses, with a note of who was closed."""

    def __init__(self, hosts: str | list[str], total: int = 10_000) -> None:
        self.clock = Clock()
        self.admission = Admission(None, total, TRUSTED, now=self.clock)
        self.closed: list[str | None] = []
        self.leases = [self.come(host) for host in hosts]
        self.clock.seconds += module.FRESH_SECONDS

    def come(self, host: str) -> Lease:
        lease = admit(self.admission, host)
        lease.is_idle = lambda: True
        lease.abort = lambda: self.closed.append(lease.address or PROXY)
        return lease


def test_at_the_total_idle_connections_make_way_for_newcomers() -> None:
    crowd = Crowd([A, B], total=2)
    admit(crowd.admission, C)
    assert sorted(crowd.closed, key=str) == [A, B]
    assert (crowd.admission.open, crowd.admission.shed, crowd.admission.refused) == (1, 2, 0)
    for lease in crowd.leases:
        lease.release()  # as their tasks do when they end
    assert crowd.admission.open == 1


def test_nobody_who_is_busy_or_has_only_just_come_makes_way() -> None:
    crowd = Crowd([A, B], total=3)
    crowd.leases[0].is_idle = lambda: False
    crowd.come(A)
    admit(crowd.admission, C)
    assert crowd.closed == [B]


def test_where_nobody_is_idle_the_newcomer_is_refused_and_not_everybody_looked_at_again() -> None:
    crowd = Crowd([A], total=1)
    looks: list[None] = []

    def is_idle() -> bool:
        looks.append(None)
        return False

    crowd.leases[0].is_idle = is_idle
    for _ in range(100):
        assert crowd.admission.admit(B) is None
    assert len(looks) == 1
    crowd.clock.seconds += module.SHED_PAUSE
    assert crowd.admission.admit(B) is None
    assert len(looks) == 2
    assert crowd.admission.refused == 101


def test_a_batch_makes_way_at_once_and_the_most_idle_address_first() -> None:
    crowd = Crowd([A] * 100 + [B] * 50 + [C])
    assert crowd.admission.make_room() == module.SHED_AT_ONCE
    assert (crowd.closed.count(A), crowd.closed.count(B), crowd.closed.count(C)) == (57, 7, 0)
    assert crowd.admission.make_room() == module.SHED_AT_ONCE
    assert (crowd.closed.count(A), crowd.closed.count(B), crowd.closed.count(C)) == (89, 39, 0)


def test_of_one_address_those_who_have_been_there_longest_go_first() -> None:
    crowd = Crowd([A] * 70)
    gone: list[int] = []
    for number, lease in enumerate(crowd.leases):
        lease.abort = partial(gone.append, number)
    crowd.admission.make_room()
    assert gone == list(range(module.SHED_AT_ONCE))


def test_trusted_proxies_make_way_only_where_nobody_else_does() -> None:
    crowd = Crowd([PROXY] * 3 + [A])
    assert crowd.admission.make_room() == 1
    assert crowd.closed == [A]
    crowd.clock.seconds += module.SHED_PAUSE
    assert crowd.admission.make_room() == 3
    assert crowd.closed == [A, PROXY, PROXY, PROXY]


@given(st.lists(st.sampled_from([A, B, C]), max_size=200), st.integers(0, 70))
def test_it_sheds_like_somebody_who_counts_anew_each_time(hosts: list[str], busy: int) -> None:
    crowd = Crowd(hosts)
    for lease in crowd.leases[:busy]:
        lease.is_idle = lambda: False
    idle = hosts[busy:]
    for _ in range(min(module.SHED_AT_ONCE, len(idle))):
        idle.remove(max(idle, key=idle.count))
    crowd.admission.make_room()
    left = {host: hosts[busy:].count(host) - crowd.closed.count(host) for host in (A, B, C)}
    assert sorted(left.values()) == sorted(idle.count(host) for host in (A, B, C))
    assert crowd.admission.open == len(hosts[:busy]) + len(idle)
