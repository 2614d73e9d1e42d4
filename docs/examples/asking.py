"""Ask another actor, in an async handler."""

from dataclasses import dataclass

import trio

from actors import Actor, Message, Ref, Refusal, open_system


@dataclass(frozen=True, slots=True)
class Price(Message["PriceList", int]):
    """Answered with what a drink costs."""

    drink: str


@dataclass(frozen=True, slots=True)
class Sell(Message["Till", int]):
    """Answered with the takings, this drink included."""

    drink: str


class NotOnTheList(Refusal):
    """The list has no price for that."""


class PriceList(Actor):
    """Knows the prices."""

    def __init__(self) -> None:
        self.prices = {"coffee": 3, "tea": 2}

    @Price.handler
    def price(self, message: Price) -> int:
        """Return the price; refuse a drink that is not on the list."""
        if message.drink not in self.prices:
            raise NotOnTheList(message.drink)
        return self.prices[message.drink]


class Till(Actor):
    """Owns the takings."""

    def __init__(self, prices: Ref[PriceList]) -> None:
        self.prices = prices
        self.takings = 0

    @Sell.handler
    async def sell(self, message: Sell) -> int:
        """Ask for the price, and wait for it."""
        price = await self.prices.ask(Price(message.drink))
        self.takings += price
        return self.takings


async def main() -> None:
    """Sell a drink that is on the list, and one that is not."""
    async with open_system() as system:
        prices = await system.start(PriceList)
        till = await system.start(lambda: Till(prices))
        with trio.fail_after(2):
            takings = await till.ask(Sell("coffee"))
            print("takings:", takings)
            try:
                await till.ask(Sell("milk"))
            except NotOnTheList as no:
                print("not on the list:", no)


if __name__ == "__main__":
    trio.run(main)
