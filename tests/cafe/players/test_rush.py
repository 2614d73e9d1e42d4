"""The scenario's phases against a fake shop, and the addresses of a real one.

That `cafe rush` runs is tested in tests/system.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing
import typer

from cafe.players.attacker import Attack
from cafe.players.baristas import Shift
from cafe.players.client import UnreachableError
from cafe.players.options import Span
from cafe.players.rush import (
    NoAddressError,
    Scenario,
    ShopAddresses,
    pages_of,
    parse_addresses,
    require_address,
)
from tests.cafe.players.fake_shop import FakeShop

SHOP = ShopAddresses("http://shop.test", "http://shop.test")
ATTACK = Attack(orders=5000, answers={}, lost=5000, unanswered=0, first_cut=0.1, last_answer=None)
SCENARIO = Scenario(
    regulars=300,
    groups=Span(100, 200),
    baristas=10,
    shift=Shift(Span(30, 60), retry_for=5, seed=1),
    attack=5000,
    seed=1,
)


def test_an_address_that_cannot_be_bound_is_a_sentence_with_what_to_do() -> None:
    with pytest.raises(NoAddressError) as caught:
        require_address("192.0.2.1")
    assert str(caught.value).startswith("192.0.2.1 cannot be bound here")
    assert "\n" not in str(caught.value)
    require_address("127.0.0.1")


def test_the_pages_of_a_shop_are_where_its_two_ports_are() -> None:
    shop = ShopAddresses("http://127.0.0.1:4/api/v1/client", "http://127.0.0.1:5/api/v1/worker")
    assert [line.split()[-1] for line in pages_of(shop)] == [
        "http://127.0.0.1:4/board",
        "http://127.0.0.1:4/",
        "http://127.0.0.1:5/barista",
    ]


@pytest.mark.slow
async def test_a_phase_ends_when_every_regular_has_left(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    phase = SCENARIO.phase("calm", SHOP, shop.transport)
    await phase.play()
    phase.check_ended()
    assert phase.crowd.summary().all_served
    assert phase.attack is None
    assert set(shop.sources) > {"127.0.0.11", "127.0.0.12"}


@pytest.mark.slow
async def test_both_phases_have_the_same_waits_if_the_attacker_has_no_effect(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def attack() -> Attack:
        await trio.sleep(8)
        return ATTACK

    calm, attacked = (
        SCENARIO.phase(title, SHOP, FakeShop(autojump_clock).transport)
        for title in ("calm", "attacked")
    )
    await calm.play()
    await attacked.play(attack)
    assert attacked.attack is ATTACK
    assert calm.crowd.groups == attacked.crowd.groups
    assert attacked.crowd.summary().waits == pytest.approx(calm.crowd.summary().waits, rel=0.02)


async def test_a_shop_that_dies_ends_the_phase_with_the_baristas_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    phase = SCENARIO.phase("calm", SHOP, shop.transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(phase.play)
        await trio.sleep(100)
        shop.refuses_connections = 10_000
    assert not phase.crowd.all_left
    with pytest.raises(UnreachableError):
        phase.check_ended()


async def test_a_phase_that_was_interrupted_is_not_a_result(
    autojump_clock: trio.testing.MockClock,
) -> None:
    phase = SCENARIO.phase("calm", SHOP, FakeShop(autojump_clock).transport)
    with trio.move_on_after(100):
        await phase.play()
    with pytest.raises(typer.Exit) as caught:
        phase.check_ended()
    assert caught.value.exit_code == 130


async def test_the_board_shows_customers_above_baristas(
    autojump_clock: trio.testing.MockClock,
) -> None:
    phase = SCENARIO.phase("calm", SHOP, FakeShop(autojump_clock).transport)
    assert phase.line() == ("calm: 0 waiting, 0 of 300 served; 0 of 0 baristas brewing, 0 brewed")
    assert len(phase.rows().renderables) == 3


PRINTED = """\
client http://127.0.0.1:43001/api/v1/client/docs
worker http://127.0.0.1:43002/api/v1/worker/docs
"""


def test_both_addresses_are_parsed_with_their_prefix() -> None:
    assert parse_addresses(PRINTED) == ShopAddresses(
        "http://127.0.0.1:43001/api/v1/client", "http://127.0.0.1:43002/api/v1/worker"
    )


def test_other_lines_between_them_do_not_matter() -> None:
    noisy = PRINTED.replace("worker", "12:00 info started\nworker", 1)
    assert parse_addresses(f"hello\n{noisy}") == parse_addresses(PRINTED)


def test_one_address_or_half_a_line_is_not_enough() -> None:
    for length in range(len(PRINTED) - 5):
        assert parse_addresses(PRINTED[:length]) is None
