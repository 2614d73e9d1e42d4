"""The attacker of the scenario: thousands of orders at once, always from the same address."""

from __future__ import annotations

import sys
from itertools import accumulate
from pathlib import Path

import trio

from cafe.players import attacker
from cafe.players.attacker import Attack
from tests.system.api import Crew, crowd, order, read_all
from tests.system.shop import Shop, until

ATTACKER = "127.0.0.66"
OFFICES = ["127.5.0.1", "127.5.0.2", "127.5.0.3"]


async def attack(shop: Shop, orders: int) -> Attack:
    """Order so many times at once, from a process of the attacker's own, for 15 s at most."""
    url = [shop.client, "--from", ATTACKER, "--orders", str(orders), "--seconds", "15"]
    run = await trio.run_process(
        [sys.executable, str(Path(attacker.__file__)), *url], capture_stdout=True
    )
    return Attack.parse(run.stdout.decode())


async def test_the_attacker_is_banned_and_the_regulars_do_not_notice(
    shop: Shop, nursery: trio.Nursery
) -> None:
    attacks: list[Attack] = []

    async def begin() -> None:
        attacks.append(await attack(shop, 5000))

    async with crowd(shop, OFFICES * 20) as early:
        await shop.has_waiting(60)
        nursery.start_soon(begin)
        await shop.log.line("order", action="place", address=ATTACKER)
        async with crowd(shop, OFFICES * 20) as late:
            ban = await shop.log.line("banned", address=ATTACKER)
            await until(lambda: attacks)
            await shop.has_waiting(120)
            crew = Crew(shop)
            await crew.work(baristas=10)
            answers = await read_all(early + late)
    assert [one.status for one in answers] == [200] * 120
    await shop.settle()
    assert numbers(shop, "start") == numbers(shop, "place") == sorted(crew.numbers)
    assert len(crew.numbers) == 120
    assert ban["orders"] <= 400
    assert_that_it_was_cut_off(shop, attacks[0])
    await others_are_served(shop)


def numbers(shop: Shop, action: str) -> list[int]:
    """Return the ticket numbers of the regulars to whose orders this happened, in that order."""
    lines = shop.log.lines("order", action=action)
    return [one["number"] for one in lines if one["address"] in OFFICES]


def assert_that_it_was_cut_off(shop: Shop, result: Attack) -> None:
    """Check what the attacker got: 429s, then refused connections, and never a coffee."""
    assert not any(answer.startswith("200") for answer in result.answers)
    assert result.answers["429 waiting"] > 0
    assert result.lost > 400
    assert result.lost + result.unanswered > 3000
    actions = [one["action"] for one in shop.log.lines("order", address=ATTACKER)]
    assert set(actions) <= {"place", "cut off", "abandon"}
    waiting = list(accumulate(1 if action == "place" else -1 for action in actions))
    assert max(waiting) <= 400  # where the machine is busy some give up, and others come instead
    assert waiting[-1] == 0


async def others_are_served(shop: Shop) -> None:
    """Check that no other address is limited, and that the metrics show what happened."""
    async with shop.customers("127.5.0.4") as customer:
        await order(customer)
    crew = Crew(shop)
    await crew.work(baristas=1)
    assert len(crew.numbers) == 1
    assert await shop.metric("cafe_bans_now") == 1
    bans, filters = (f'cafe_kernel_{what}{{app="client"}}' for what in ("bans", "filter"))
    assert await shop.metric(bans) == await shop.metric(filters)  # 1 where the kernel has filters
    assert await shop.metric('cafe_refusals_total{limit="waiting"}') > 0
    assert await shop.metric('cafe_connections_isolated_total{app="client"}') == 0
