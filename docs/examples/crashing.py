"""Crash an actor: the asker gets the cause, and a new instance handles the next message."""

import trio

from actors import ActorCrashed, Restart, open_system
from docs.examples.counter import Add, Counter, Share


async def main() -> None:
    """Divide by zero, and go on."""
    async with open_system() as system:
        counter = await system.start(Counter, restart=Restart(limit=3, within=60, backoff=0.5))
        await counter.ask(Add(10))
        try:
            await counter.ask(Share(0))
        except ActorCrashed as crash:
            print(crash, "because of", type(crash.__cause__).__name__)
        total = await counter.ask(Add())
        print("total:", total)


if __name__ == "__main__":
    trio.run(main)
