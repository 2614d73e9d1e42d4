"""Failures of machines and links: each happens once, in a rush, and is repaired.

Rule: a failure returns when it is over: the shop works, and everything that was interrupted has
recovered. Processes that have ended are restarted by `Site.open`, not here. The rush checks that
nothing was lost or done twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import trio

from cafe.ledger.retries import LEDGER_SECONDS
from tests.machines.processes import STANDBY, House
from tests.machines.relay import Relay
from tests.machines.rush import Rush
from tests.machines.site import Site
from tests.system.until import until_asked

Failure = Callable[[Site, Rush], Awaitable[None]]

SOME_SECONDS = 1.5
"""How long a temporary failure lasts; shorter than the lifetime of a front's key."""


async def the_owner_is_killed(site: Site, rush: Rush) -> None:
    owner = await site.owner()
    owner.kill()
    await site.owner(but=owner)
    await rush.goes_on()


async def the_owner_and_its_successor_are_killed(site: Site, rush: Rush) -> None:
    owner = await site.owner()
    owner.kill()
    successor = await site.owner(but=owner)
    successor.kill()
    await site.owner(but=successor)
    await rush.goes_on()


async def the_owner_is_frozen_and_fenced(site: Site, rush: Rush) -> None:
    owner = await site.owner()
    owner.freeze()
    try:
        await site.owner(but=owner)
        await rush.goes_on()
    finally:
        owner.thaw()
    await gives_up(owner)


async def the_owner_is_frozen_for_a_moment(site: Site, rush: Rush) -> None:
    owner = await site.owner()
    owner.freeze()
    await trio.sleep(SOME_SECONDS / 3)
    owner.thaw()
    await rush.goes_on()


async def the_owner_loses_its_link_to_the_database(site: Site, rush: Rush) -> None:
    owner = await site.owner()
    link = site.to_database[owner.name]
    link.cut()
    try:
        await site.owner(but=owner)
        await rush.goes_on()
    finally:
        link.heal()
    await gives_up(owner)


async def the_owner_loses_its_link_to_the_bus(site: Site, rush: Rush) -> None:
    await is_cut(site.to_bus[(await site.owner()).name])
    await rush.goes_on()


async def a_front_loses_its_link_to_the_bus(site: Site, rush: Rush) -> None:
    await is_cut(site.to_bus[site.fronts[0].name])
    await rush.goes_on()


async def a_front_is_killed(site: Site, rush: Rush) -> None:
    site.fronts[0].kill()
    await rush.goes_on()


async def a_front_is_frozen(site: Site, rush: Rush) -> None:
    """Freeze it for longer than its key lives: its waiting customers' orders are abandoned."""
    front = site.fronts[0]
    front.freeze()
    try:
        await site.has_forgotten(front)
        await rush.goes_on()
    finally:
        front.thaw()
    await front.until_ready()
    await rush.goes_on()


async def redis_is_restarted_empty(site: Site, rush: Rush) -> None:
    await trio.to_thread.run_sync(site.redis.restart_empty)
    await rush.goes_on()


async def redis_is_frozen(site: Site, rush: Rush) -> None:
    with site.redis.frozen():
        await trio.sleep(2 * SOME_SECONDS)
    await rush.goes_on()


async def postgresql_is_restarted(site: Site, rush: Rush) -> None:
    await trio.to_thread.run_sync(site.postgres.stop)
    await trio.to_thread.run_sync(site.postgres.start)
    await site.owner()
    await rush.goes_on()


async def the_owner_is_killed_while_redis_is_away(site: Site, rush: Rush) -> None:
    owner = await site.owner()
    with site.redis.frozen():
        await trio.sleep(SOME_SECONDS)
        owner.kill()
        await trio.sleep(SOME_SECONDS)
    await site.owner(but=owner)
    await rush.goes_on()


async def the_owner_and_a_front_are_killed(site: Site, rush: Rush) -> None:
    """The next owner has never known that front: no connection is bound to its orders."""
    owner = await site.owner()
    site.fronts[0].kill()
    owner.kill()
    await site.owner(but=owner)
    await rush.goes_on()


async def both_houses_are_restarted_one_after_the_other(site: Site, rush: Rush) -> None:
    """Restart them by SIGTERM; customers and baristas do not notice."""
    for _ in range(2):
        owner = await site.owner()
        refused, began = rush.record.refused.total(), trio.current_time()
        owner.ask_to_stop()
        assert await owner.ended() == 0
        await site.owner(but=owner)
        await rush.goes_on()
        if trio.current_time() < began + LEDGER_SECONDS:  # otherwise the machine was too slow
            assert rush.record.refused.total() == refused
        owner.start()
        await owner.until_standby()


HOUSES: Final[tuple[Failure, ...]] = (
    the_owner_is_killed,
    the_owner_is_frozen_and_fenced,
    the_owner_loses_its_link_to_the_database,
    both_houses_are_restarted_one_after_the_other,
    the_owner_and_its_successor_are_killed,
    the_owner_is_frozen_for_a_moment,
    the_owner_is_killed_while_redis_is_away,
    the_owner_and_a_front_are_killed,
)
OTHERS: Final[tuple[Failure, ...]] = (
    the_owner_loses_its_link_to_the_bus,
    a_front_loses_its_link_to_the_bus,
    a_front_is_killed,
    a_front_is_frozen,
    redis_is_restarted_empty,
    redis_is_frozen,
    postgresql_is_restarted,
)
FAILURES: Final[Mapping[str, Failure]] = {one.__name__: one for one in (*HOUSES, *OTHERS)}


async def is_cut(link: Relay) -> None:
    """Cut a link for some seconds."""
    link.cut()
    try:
        await trio.sleep(SOME_SECONDS)
    finally:
        link.heal()


async def gives_up(former: House) -> None:
    """Wait until a former owner has noticed its loss: it has ended, or is a standby."""

    async def has_given_up() -> bool:
        return not former.is_running or await former.readiness() == STANDBY

    await until_asked(has_given_up)
