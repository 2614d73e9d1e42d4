"""Each failure between machines, in a rush: orders go on, none is lost, none is done twice."""

from __future__ import annotations

import pytest

from tests.machines.failures import FAILURES, Failure
from tests.machines.rush import Accounts, assert_clean, rush_on
from tests.machines.site import Site

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_orders_go_on_and_the_accounts_agree_though(
    failure: Failure, site: Site, accounts: Accounts, seed: int
) -> None:
    await site.open()
    async with rush_on(site, accounts, seed) as rush:
        await failure(site, rush)
        await site.open()
    await assert_clean(site)
