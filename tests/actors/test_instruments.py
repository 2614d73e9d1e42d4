"""Rule 9: instruments hurt neither the actors nor each other."""

from __future__ import annotations

from typing import Any

import pytest

from actors import ActorCrashed, Instrument, Message, Ref, open_system
from actors.testing import settle
from tests.actors.counter import Add, Boom, Counter, Crash, No, Refuse
from tests.actors.recorder import WHOLE, Recorder

pytestmark = pytest.mark.schedules


class Faulted(Recorder):
    """Fails as soon as it hears of one event."""

    def __init__(self, event: str) -> None:
        super().__init__()
        self.event = event

    def __repr__(self) -> str:
        return "<Faulted>"

    def _write(self, actor: Ref[Any], what: str, *messages: object) -> None:
        super()._write(actor, what, *messages)
        if what == self.event:
            raise Boom


@pytest.mark.parametrize(
    "event", ["enqueued", "started", "refused", "crashed", "finished", "restarted"]
)
async def test_an_instrument_that_raises_is_logged_and_called_no_more(
    event: str, caplog: pytest.LogCaptureFixture
) -> None:
    faulted, others = Faulted(event), (Recorder(), Recorder())
    async with open_system(instruments=[others[0], faulted, others[1]]) as system:
        counter = await system.start(Counter, name="counter")
        with pytest.raises(No):
            await counter.ask(Refuse())
        with pytest.raises(ActorCrashed):
            await counter.ask(Crash())
        assert await counter.ask(Add()) == 1
        assert (counter.statistics().crashed, counter.statistics().handled) == (1, 1)
    assert len(others[0].lines) == 12
    assert others[0].lines == others[1].lines
    assert faulted.lines == others[0].lines[: len(faulted.lines)]
    assert faulted.lines[-1].split()[1] == event
    told = [record for record in caplog.records if "is not called any more" in record.message]
    assert [record.message for record in told] == ["<Faulted> failed and is not called any more"]
    assert told[0].exc_info is not None
    assert told[0].exc_info[0] is Boom


async def test_several_instruments_are_told_in_the_order_in_which_they_were_given() -> None:
    lines: list[str] = []
    several = [Recorder(lines, sign) for sign in ("a ", "b ")]
    async with open_system(instruments=iter(several)) as system:
        await (await system.start(Counter, name="counter")).ask(Add())
    assert [line.replace("counter ", "") for line in lines] == [
        f"{sign} {event} Add" for event in WHOLE for sign in ("a", "b")
    ]


async def test_a_method_of_an_instrument_may_be_a_static_one() -> None:
    heard: list[Message[Any, Any]] = []

    class Hearsay(Instrument):
        # What calls it sees no difference, but pyright does.
        @staticmethod
        def finished(  # pyright: ignore[reportIncompatibleMethodOverride] # see above
            actor: Ref[Any],  # noqa: ARG004 - it is told of one actor only
            message: Message[Any, Any],
        ) -> None:
            heard.append(message)

    async with open_system(instruments=[Hearsay()]) as system:
        await (await system.start(Counter)).ask(Add(3))
    assert heard == [Add(3)]


async def test_an_instrument_that_fails_inside_what_it_does_itself_hurts_nobody() -> None:
    class Meddler(Recorder):
        def _write(self, actor: Ref[Any], what: str, *messages: object) -> None:
            super()._write(actor, what, *messages)
            if what == "started":
                actor.tell_nowait(Add())
            raise Boom

        def enqueued(self, actor: Ref[Any], message: Message[Any, Any]) -> None:
            if self.lines:
                super().enqueued(actor, message)

    async with open_system(instruments=[Meddler()]) as system:
        counter = await system.start(Counter, name="counter")
        assert await counter.ask(Add()) == 1
        await settle()
        assert (counter.statistics().handled, counter.statistics().crashed) == (2, 0)
