"""When one address that sends nearly all requests is taken for a gateway's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.limits.address import address_key
from cafe.limits.gateway import CONNECTIONS, NEARLY_ALL, SAMPLE, GatewayWatch, is_private

GATEWAY, OTHER = "172.17.0.1", "192.0.2.7"


def found(requests: list[tuple[str, int]]) -> list[str]:
    """Return what a watch says to these requests, each from an address and a port."""
    watch = GatewayWatch()
    said = [watch.count(address, port) for address, port in requests]
    return [one for one in said if one is not None]


@pytest.mark.parametrize("gateway", [GATEWAY, "10.0.2.2", "192.168.65.1", address_key("fd00::1")])
def test_a_gateway_that_forwards_everything_is_found_after_one_sample(gateway: str) -> None:
    requests = [(gateway, port) for port in range(SAMPLE)]
    assert found(requests[:-1]) == []
    assert found(requests) == [gateway]


@pytest.mark.parametrize("address", [OTHER, "127.0.0.1", "169.254.1.1", "::/64", "unknown", ""])
def test_an_address_that_is_not_private_is_no_gateway(address: str) -> None:
    assert not is_private(address)
    assert found([(address, port) for port in range(3 * SAMPLE)]) == []


def test_a_program_that_keeps_its_connections_is_no_gateway() -> None:
    assert found([(GATEWAY, n % (CONNECTIONS - 1)) for n in range(3 * SAMPLE)]) == []
    assert found([(GATEWAY, n % CONNECTIONS) for n in range(SAMPLE)]) == [GATEWAY]


def test_a_gateway_is_found_in_a_later_sample_than_one_that_shows_none() -> None:
    mixed = [(OTHER, n) for n in range(SAMPLE)]
    assert found(mixed + [(GATEWAY, n) for n in range(SAMPLE)]) == [GATEWAY]


@given(st.lists(st.sampled_from([GATEWAY, OTHER, "10.0.0.9"]), min_size=SAMPLE, max_size=SAMPLE))
def test_it_is_found_only_if_it_sends_nearly_all(addresses: list[str]) -> None:
    said = found([(address, port) for port, address in enumerate(addresses)])
    assert all(addresses.count(one) >= NEARLY_ALL for one in said)


@given(st.sets(st.integers(0, SAMPLE - 1), max_size=SAMPLE - NEARLY_ALL))
def test_a_few_requests_of_the_public_do_not_hide_it(others: set[int]) -> None:
    requests = [(OTHER if n in others else GATEWAY, n) for n in range(SAMPLE)]
    assert found(requests) == [GATEWAY]
