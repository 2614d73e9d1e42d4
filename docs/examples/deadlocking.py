"""Ask in a circle, and be told so."""

from dataclasses import dataclass

import trio

from actors import Actor, Deadlock, Message, Ref, open_system


@dataclass(frozen=True, slots=True)
class Pass(Message["Neighbour", str]):
    """Passed on to the next, who answers when he is answered."""


@dataclass(frozen=True, slots=True)
class Meet(Message["Neighbour", None]):
    """Introduces the next."""

    neighbour: Ref["Neighbour"]


class Neighbour(Actor):
    """Passes on what he is asked."""

    def __init__(self) -> None:
        self.next: Ref[Neighbour] | None = None

    @Meet.handler
    def meet(self, message: Meet) -> None:
        """Remember him."""
        self.next = message.neighbour

    @Pass.handler
    async def pass_on(self, message: Pass) -> str:
        """Wait for the next, who may wait for us."""
        if self.next is None:
            return "nobody is next"
        try:
            return await self.next.ask(message)
        except Deadlock as deadlock:
            return f"deadlock: {deadlock}"


async def main() -> None:
    """Let two ask each other."""
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
