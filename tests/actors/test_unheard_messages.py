"""A message that is enqueued and never started has no further event; statistics tell of it."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors import ActorStopped, Instrument, Message, Ref, open_system
from actors.testing import settle
from tests.actors.counter import Add, Counter, Nap

pytestmark = pytest.mark.schedules(10)


class Journal(Instrument):
    """Writes down what happens to an Add."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def note(self, what: str, message: Message[Any, Any] | None) -> None:
        if isinstance(message, Add):
            self.entries.append(what)

    def enqueued(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        self.note("enqueued", message)

    def started(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        self.note("started", message)

    def finished(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        self.note("finished", message)

    def refused(
        self,
        actor: Ref[Any],  # noqa: ARG002
        message: Message[Any, Any] | None,
        refusal: Exception,  # noqa: ARG002
    ) -> None:
        self.note("refused", message)

    def crashed(
        self,
        actor: Ref[Any],  # noqa: ARG002
        message: Message[Any, Any] | None,
        cause: Exception,  # noqa: ARG002
    ) -> None:
        self.note("crashed", message)


async def test_a_message_that_is_skipped_has_no_event_but_is_counted() -> None:
    journal = Journal()
    async with open_system(instruments=[journal]) as system:
        counter = await system.start(Counter)
        await counter.tell(Nap(5))
        await settle()
        with trio.move_on_after(1):
            await counter.ask(Add())
        assert counter.statistics().queued == 1
        await counter.ask(Nap(1))
        assert (counter.statistics().queued, counter.statistics().skipped) == (0, 1)
    assert journal.entries == ["enqueued"]


async def test_a_message_that_is_left_when_its_actor_stops_has_no_event() -> None:
    journal = Journal()

    async def ask_in_vain(counter: Ref[Counter]) -> None:
        with pytest.raises(ActorStopped):
            await counter.ask(Add())

    async with trio.open_nursery() as nursery:
        async with open_system(grace=1, instruments=[journal]) as system:
            counter = await system.start(Counter)
            await counter.tell(Nap(60))
            await settle()
            nursery.start_soon(ask_in_vain, counter)
            await settle()
        assert counter.statistics().queued == 0
    assert journal.entries == ["enqueued"]
