"""Wait for an answer that comes later, or not at all."""

import trio

from actors import Ref, open_system
from docs.examples.counter import Add, Counter, Reach, Waiting


async def celebrate(counter: Ref[Counter], goal: int) -> None:
    """Print a line when the goal is reached."""
    total = await counter.ask(Reach(goal))
    print("reached:", total)


async def main() -> None:
    """Let one ask wait for its goal, and cancel another."""
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter)
        nursery.start_soon(celebrate, counter, 2)
        with trio.move_on_after(1):
            await counter.ask(Reach(1000))
        waiting = await counter.ask(Waiting())
        print("waiting:", waiting)
        for _ in range(2):
            await trio.sleep(1)
            await counter.ask(Add())


if __name__ == "__main__":
    trio.run(main)
