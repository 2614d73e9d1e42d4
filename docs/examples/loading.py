"""Make an actor with an async factory, which waits for a database that may be away."""

from dataclasses import dataclass

import trio

from actors import Actor, ActorCrashed, Message, open_system


@dataclass(frozen=True, slots=True)
class Average(Message["Accounts", int]):
    """Answered with the mean of that many amounts, the last ones."""

    last: int


class Accounts(Actor):
    """Owns the amounts that it was made with."""

    def __init__(self, amounts: list[int]) -> None:
        self.amounts = amounts

    @Average.handler
    def average(self, message: Average) -> int:
        """Divide the sum; asking for the last 0 crashes the actor."""
        return sum(self.amounts[-message.last :]) // message.last


class Database:
    """Stands in for a server, which can be away."""

    def __init__(self) -> None:
        self.back_at = trio.current_time()

    def leave_for(self, seconds: float) -> None:
        """Answer nothing for that many seconds."""
        self.back_at = trio.current_time() + seconds

    async def read(self) -> list[int]:
        """Return all amounts, once the server is there."""
        await trio.sleep_until(self.back_at)
        return [2, 4, 6]


async def main() -> None:
    """Start an actor while its database is away, and crash it in the next outage."""
    database = Database()

    async def load() -> Accounts:
        print("loading")
        return Accounts(await database.read())

    async with open_system() as system:
        database.leave_for(1)
        accounts = await system.start(load)
        average = await accounts.ask(Average(2))
        print("average:", average)
        database.leave_for(2)
        try:
            await accounts.ask(Average(0))
        except ActorCrashed as crash:
            print(f"{crash}, and is {accounts.statistics().state}")
        average = await accounts.ask(Average(2))
        print("average:", average)


if __name__ == "__main__":
    trio.run(main)
