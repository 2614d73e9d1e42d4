"""Start a counter, tell it something, and ask it."""

import trio

from actors import open_system
from docs.examples.counter import Add, Counter


async def main() -> None:
    """Count to 42."""
    async with open_system() as system:
        counter = await system.start(Counter)
        await counter.tell(Add(40))
        with trio.fail_after(2):
            total = await counter.ask(Add(2))
        print("total:", total)


if __name__ == "__main__":
    trio.run(main)
