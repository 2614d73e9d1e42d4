"""Machines and links fail in a rush: orders go on, none is lost, and none is done twice.

Rule: the most severe failures happen one after the other in one rush, since opening a site and
checking the accounts take longer than most failures. `make failures` picks from all at random.
"""

from __future__ import annotations

import pytest

from tests.machines.failures import (
    Failure,
    a_front_loses_its_link_to_the_bus,
    both_houses_are_restarted_one_after_the_other,
    postgresql_is_restarted,
    redis_is_restarted_empty,
    the_owner_is_frozen_and_fenced,
    the_owner_is_killed,
    the_owner_loses_its_link_to_the_database,
)
from tests.machines.rush import Accounts, assert_clean, rush_on
from tests.machines.site import Site

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.long]

OF_HOUSES = (
    the_owner_is_killed,
    both_houses_are_restarted_one_after_the_other,
    the_owner_is_frozen_and_fenced,
    the_owner_loses_its_link_to_the_database,
)
OF_SERVERS = (
    redis_is_restarted_empty,
    a_front_loses_its_link_to_the_bus,
    postgresql_is_restarted,
)

MOST_BETWEEN = 0.6
"""The seconds that leave restarted processes some of the processor."""


@pytest.mark.parametrize("failures", [OF_HOUSES, OF_SERVERS], ids=["houses", "servers"])
async def test_orders_go_on_and_the_accounts_agree_after_each_of_several_failures(
    failures: tuple[Failure, ...], site: Site, accounts: Accounts, seed: int
) -> None:
    await site.open()
    async with rush_on(site, accounts, seed, most_between=MOST_BETWEEN) as rush:
        for failure in failures:
            await failure(site, rush)
            await site.open()
    await assert_clean(site)
