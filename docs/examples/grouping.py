"""Restart actors together that depend on each other."""

from dataclasses import dataclass

import trio

from actors import Actor, ActorCrashed, Message, Ref, Strategy, open_system
from docs.examples.counter import Add, Counter, Share


@dataclass(frozen=True, slots=True)
class Record(Message["Ledger", int]):
    """Answered with the number of amounts recorded so far."""

    amount: int


class Ledger(Actor):
    """Remembers amounts, and tells the counter of each."""

    def __init__(self, counter: Ref[Counter]) -> None:
        self.counter = counter
        self.amounts: list[int] = []

    @Record.handler
    def record(self, message: Record) -> int:
        """Remember, and pass on."""
        self.amounts.append(message.amount)
        self.counter.tell_nowait(Add(message.amount))
        return len(self.amounts)


async def main() -> None:
    """Crash the counter: the ledger, started after it in the group, is restarted with it."""
    async with open_system() as system:
        group = system.group(Strategy.REST_FOR_ONE, name="books")
        counter = await group.start(Counter)
        ledger = await group.start(lambda: Ledger(counter))
        recorded = await ledger.ask(Record(5))
        print("recorded:", recorded)
        try:
            await counter.ask(Share(0))
        except ActorCrashed as crash:
            print(crash)
        recorded = await ledger.ask(Record(7))
        total = await counter.ask(Add(0))
        print("recorded:", recorded, "total:", total)


if __name__ == "__main__":
    trio.run(main)
