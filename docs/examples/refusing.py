"""Ask for too much: the refusal is raised in the asker."""

import trio

from actors import open_system
from docs.examples.counter import Add, Counter, TooLow


async def main() -> None:
    """Ask for too much, then for less."""
    async with open_system() as system:
        counter = await system.start(Counter)
        await counter.ask(Add(3))
        try:
            await counter.ask(Add(-5))
        except TooLow as no:
            print("refused:", no)
        total = await counter.ask(Add(-1))
        print("total:", total)


if __name__ == "__main__":
    trio.run(main)
