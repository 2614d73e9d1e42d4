"""Whose screen a change concerns: the courier's who has the delivery, and who had it before."""

from __future__ import annotations

import pytest

from cafe.delivery.hands import Hands, read_hands
from tests.cafe.delivery.street import Street, open_north

pytestmark = pytest.mark.schedules(3)


class Heard:
    """What a follower was told since the last look."""

    def __init__(self) -> None:
        self._accounts: set[str] = set()

    def take(self) -> set[str]:
        found, self._accounts = self._accounts, set()
        return found

    def hear(self, accounts: object) -> None:
        assert isinstance(accounts, set)
        self._accounts |= accounts


async def followed(street: Street) -> Heard:
    """Follow from now on, as delivery does from its start."""
    hands, heard = Hands(), Heard()
    hands.begin(await street.ledger.prepare(read_hands))
    street.ledger.listen(hands.hear)
    hands.listen(heard.hear)
    return heard


async def test_the_courier_who_has_a_delivery_and_who_had_it_are_told() -> None:
    async with open_north() as street:
        await street.add_courier("ada", account_id="account-ada")
        heard = await followed(street)
        await street.add_courier("bo", account_id="account-bo")
        assert heard.take() == {"account-bo"}
        delivery = await street.publish()
        assert heard.take() == {"account-ada"}
        await street.take(delivery, "reassign", to="bo")
        assert heard.take() == {"account-ada", "account-bo"}
        await street.take(delivery, "pick up")
        await street.take(delivery, "finish")
        await street.followed()
        assert heard.take() == {"account-bo"}


async def test_one_who_loses_a_delivery_by_time_or_by_a_cancellation_is_told() -> None:
    async with open_north() as street:
        await street.add_courier("ada", account_id="account-ada")
        delivery = await street.publish()
        heard = await followed(street)  # which loads what is in hand
        await street.take(delivery, "cancel", reason="rain")
        assert heard.take() == {"account-ada"}


async def test_duty_is_told_and_a_courier_without_an_account_concerns_nobody() -> None:
    async with open_north() as street:
        await street.add_courier("ada", account_id="account-ada")
        await street.add_courier("cy", "south")
        heard = await followed(street)
        await street.change("ada", on_duty=False)
        assert heard.take() == {"account-ada"}
        await street.publish("south")
        assert heard.take() == set()


async def test_all_are_told_when_it_begins_again_since_some_may_have_missed_something() -> None:
    async with open_north() as street:
        await street.add_courier("ada", account_id="account-ada")
        await street.add_courier("bo", account_id="account-bo")
        hands, heard = Hands(), Heard()
        hands.listen(heard.hear)
        hands.begin(await street.ledger.prepare(read_hands))
        assert heard.take() == {"account-ada", "account-bo"}
