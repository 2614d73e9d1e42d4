"""Ask in a cycle, which raises Deadlock."""

from dataclasses import dataclass

import trio

from actors import Actor, Deadlock, Message, Ref, open_system


@dataclass(frozen=True, slots=True)
class Pass(Message["Neighbour", str]):
    """Passed on to the next neighbour, and answered with its answer."""


@dataclass(frozen=True, slots=True)
class Meet(Message["Neighbour", None]):
    """Introduces the next neighbour."""

    neighbour: Ref["Neighbour"]


class Neighbour(Actor):
    """Passes each message on to the next neighbour."""

    def __init__(self) -> None:
        self.next: Ref[Neighbour] | None = None

    @Meet.handler
    def meet(self, message: Meet) -> None:
        """Set the next neighbour."""
        self.next = message.neighbour

    @Pass.handler
    async def pass_on(self, message: Pass) -> str:
        """Ask the next neighbour, which may be waiting for this one."""
        if self.next is None:
            return "none is next"
        try:
            return await self.next.ask(message)
        except Deadlock as deadlock:
            return f"deadlock: {deadlock}"


async def main() -> None:
    """Let two neighbours ask each other."""
    async with open_system() as system:
        ann = await system.start(Neighbour, name="ann")
        bob = await system.start(Neighbour, name="bob")
        await ann.ask(Meet(bob))
        answer = await ann.ask(Pass())
        print(answer)
        await bob.ask(Meet(ann))
        answer = await ann.ask(Pass())
        print(answer)


if __name__ == "__main__":
    trio.run(main)
