from __future__ import annotations

import resource

import pytest

from cafe.server.descriptors import LEAST, RESERVE, raise_limit, share_out


@pytest.mark.parametrize("limit", [256, 1024, 4096, 20_000, 2**20])
def test_both_ports_together_leave_a_reserve(limit: int) -> None:
    shares = share_out(limit)
    assert shares.client + shares.worker <= limit - min(RESERVE, limit // 2)
    assert shares.client > shares.worker >= LEAST


def test_the_baristas_share_grows_no_further_than_a_thousand() -> None:
    assert share_out(20_000).worker == 1024
    assert share_out(2**20).worker == 1024


def test_even_a_tiny_limit_admits_some_clients() -> None:
    shares = share_out(0)
    assert shares.client >= LEAST
    assert shares.worker >= LEAST


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    try:
        raised = raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
