"""Observe actors: an instrument, statistics and the tree."""

from contextlib import suppress
from typing import Any

import trio

from actors import Instrument, Message, Ref, Refusal, Strategy, open_system
from docs.examples.counter import Add, Counter, TooLow


class Refusals(Instrument):
    """Prints every refusal, with the actor and the message."""

    def refused(self, actor: Ref[Any], message: Message[Any, Any] | None, refusal: Refusal) -> None:
        """Print one line."""
        print(f"{actor.name} refused {message}: {refusal}")


async def main() -> None:
    """Look at two counters."""
    async with open_system(instruments=[Refusals()]) as system:
        counter = await system.start(Counter, name="counter", mailbox=16)
        group = system.group(Strategy.ALL_FOR_ONE, name="drinks")
        await group.start(Counter, name="coffees")
        await group.start(Counter, name="teas")
        await counter.tell(Add(3))
        with suppress(TooLow):
            await counter.ask(Add(-4))
        statistics = counter.statistics()
        print("handled:", statistics.handled, "refused:", statistics.refused)
        print(system.tree())


if __name__ == "__main__":
    trio.run(main)
