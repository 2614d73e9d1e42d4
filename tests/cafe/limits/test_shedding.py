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


def test_at_the_total_idle_connections_are_closed_for_new_ones() -> None:
    crowd = Crowd([A, B], total=2)
    admit(crowd.admission, C)
    assert sorted(crowd.closed, key=str) == [A, B]
    assert (crowd.admission.open, crowd.admission.shed, crowd.admission.refused) == (1, 2, 0)
    for lease in crowd.leases:
        lease.release()  # as their tasks do when they end
    assert crowd.admission.open == 1


def test_busy_and_fresh_connections_are_not_closed() -> None:
    crowd = Crowd([A, B], total=3)
    crowd.leases[0].is_idle = lambda: False
    crowd.come(A)
    admit(crowd.admission, C)
    assert crowd.closed == [B]


def test_if_none_is_idle_the_new_one_is_refused_and_they_are_not_searched_again_at_once() -> None:
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


def test_a_batch_is_closed_at_once_and_the_address_with_most_idle_ones_first() -> None:
    crowd = Crowd([A] * 100 + [B] * 50 + [C])
    assert crowd.admission.make_room() == module.SHED_AT_ONCE
    assert (crowd.closed.count(A), crowd.closed.count(B), crowd.closed.count(C)) == (57, 7, 0)
    assert crowd.admission.make_room() == module.SHED_AT_ONCE
    assert (crowd.closed.count(A), crowd.closed.count(B), crowd.closed.count(C)) == (89, 39, 0)


def test_of_one_address_the_oldest_connections_are_closed_first() -> None:
    crowd = Crowd([A] * 70)
    gone: list[int] = []
    for number, lease in enumerate(crowd.leases):
        lease.abort = partial(gone.append, number)
    crowd.admission.make_room()
    assert gone == list(range(module.SHED_AT_ONCE))


def test_connections_of_trusted_proxies_are_closed_only_if_no_others_are_idle() -> None:
    crowd = Crowd([PROXY] * 3 + [A])
    assert crowd.admission.make_room() == 1
    assert crowd.closed == [A]
    crowd.clock.seconds += module.SHED_PAUSE
    assert crowd.admission.make_room() == 3
    assert crowd.closed == [A, PROXY, PROXY, PROXY]


@given(st.lists(st.sampled_from([A, B, C]), max_size=200), st.integers(0, 70))
def test_it_sheds_like_a_model_that_counts_again_for_each_one(hosts: list[str], busy: int) -> None:
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
