"""Rule 7 against everything that Hypothesis finds: no ask hangs, and none is refused wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import trio
from hypothesis import given
from hypothesis import strategies as st

from actors import Actor, Deadlock, Message, Ref, open_system
from actors.testing import run_seeded

PEOPLE = 4


@dataclass(frozen=True, slots=True)
class Step:
    """The next stop of a journey, and the rest before it."""

    person: int
    rest: int


@dataclass(frozen=True, slots=True)
class Travel(Message["Person", str]):
    """Answered when the rest of the journey has come to its end."""

    steps: tuple[Step, ...]


class Person(Actor):
    """Sends travellers on, and notes which person it waits for."""

    def __init__(self, number: int, people: list[Ref[Person]], waits: dict[int, int]) -> None:
        self.number = number
        self.people = people
        self.waits = waits

    @Travel.handler
    async def travel(self, message: Travel) -> str:
        if not message.steps:
            return "arrived"
        step, *rest = message.steps
        await trio.sleep(step.rest)
        self.waits[self.number] = step.person
        try:
            return await self.people[step.person].ask(Travel(tuple(rest)))
        except Deadlock as deadlock:
            return "refused" if self.is_circle(deadlock.chain) else f"wrongly: {deadlock}"
        finally:
            del self.waits[self.number]

    def is_circle(self, chain: tuple[str, ...]) -> bool:
        """Return whether each in the chain waits for the next, and the last is in it twice."""
        numbers = [int(name) for name in chain]
        return (
            numbers[0] == self.number
            and numbers[-1] in numbers[:-1]
            and all(self.waits[one] == other for one, other in pairwise(numbers))
        )


steps = st.builds(Step, person=st.integers(0, PEOPLE - 1), rest=st.integers(0, 2))
journeys = st.lists(st.lists(steps, max_size=5).map(tuple), min_size=1, max_size=6)


@given(journeys=journeys, seed=st.integers(0, 1000))
def test_every_journey_ends(journeys: list[tuple[Step, ...]], seed: int) -> None:
    ended: list[str] = []

    async def send(person: Ref[Person], journey: tuple[Step, ...]) -> None:
        ended.append(await person.ask(Travel(journey)))

    async def travel() -> None:
        people: list[Ref[Person]] = []
        waits: dict[int, int] = {}
        async with open_system() as system:
            for number in range(PEOPLE):
                make = partial(Person, number, people, waits)
                people.append(await system.start(make, name=str(number)))
            with trio.fail_after(1000):
                async with trio.open_nursery() as nursery:
                    for number, journey in enumerate(journeys):
                        nursery.start_soon(send, people[number % PEOPLE], journey)

    run_seeded(seed, travel)
    assert len(ended) == len(journeys)
    assert set(ended) <= {"arrived", "refused"}
