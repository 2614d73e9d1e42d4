"""Rule 7 for tells: a handler that waits for room in a mailbox waits for its owner."""

from __future__ import annotations

import pytest
import trio

from actors import Deadlock, System
from actors.testing import settle
from tests.actors.players import Note, Perform, Player, Stage

pytestmark = pytest.mark.schedules


async def test_a_tell_that_would_wait_for_room_for_ever_is_refused(
    system: System, stage: Stage
) -> None:
    a, b = await stage.enter(system, "a", "b", mailbox=1)

    async def tell_twice(_me: Player) -> str:
        await a.tell(Note())
        with pytest.raises(Deadlock, match=r"^b -> a -> b$"):
            await a.tell(Note())
        return "refused"

    async def ask_b(_me: Player) -> str:
        return await b.ask(Perform(tell_twice))

    assert await a.ask(Perform(ask_b)) == "refused"


async def test_an_actor_that_fills_its_own_mailbox_is_refused(system: System, stage: Stage) -> None:
    (a,) = await stage.enter(system, "a", mailbox=2)

    async def tell_itself(_me: Player) -> str:
        await a.tell(Note())
        await a.tell(Note())
        with pytest.raises(Deadlock, match="a -> a"):
            await a.tell(Note())
        return "refused"

    assert await a.ask(Perform(tell_itself)) == "refused"


async def test_a_tell_that_waits_for_room_is_waited_for(system: System, stage: Stage) -> None:
    a, b = await stage.enter(system, "a", "b", mailbox=1)

    async def fill_b(_me: Player) -> str:
        await b.tell(Note())
        await b.tell(Note())
        return "told"

    async def rest_and_ask_a(_me: Player) -> str:
        await trio.sleep(1)
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Note())
        return "refused"

    stage.nursery.start_soon(stage.hears, b.ask(Perform(rest_and_ask_a)))
    await settle()
    assert await a.ask(Perform(fill_b)) == "told"
    assert stage.heard == ["refused"]


async def test_a_tell_that_has_got_its_room_is_no_wait_any_more(
    system: System, stage: Stage
) -> None:
    a, b = await stage.enter(system, "a", "b", mailbox=1)

    async def rest(_me: Player) -> str:
        await trio.sleep(1)
        return "rested"

    async def tell_b(_me: Player) -> str:
        await b.tell(Note())
        return "told"

    stage.nursery.start_soon(stage.hears, b.ask(Perform(rest)))
    await settle()
    # It fills the mailbox, and asks back as soon as the tell behind it has its place.
    stage.nursery.start_soon(stage.hears, b.ask(stage.asks("a")))
    await settle()
    stage.nursery.start_soon(stage.hears, a.ask(Perform(tell_b)))
    await trio.sleep(2)
    assert sorted(stage.heard) == ["noted", "rested", "told"]


async def test_nor_is_it_with_others_that_told_before_or_wait_behind(
    system: System, stage: Stage
) -> None:
    a, b = await stage.enter(system, "a", "b", mailbox=1)

    async def rest(_me: Player) -> str:
        await trio.sleep(1)
        return "rested"

    async def tell_b(_me: Player) -> str:
        await b.tell(Note())
        return "told"

    await b.tell(Note())
    stage.nursery.start_soon(stage.hears, b.ask(Perform(rest)))
    await settle()
    stage.nursery.start_soon(stage.hears, b.ask(stage.asks("a")))
    await settle()
    stage.nursery.start_soon(stage.hears, a.ask(Perform(tell_b)))
    await settle()
    stage.nursery.start_soon(b.tell, Note())
    await trio.sleep(2)
    assert sorted(stage.heard) == ["noted", "rested", "told"]


async def test_the_room_that_another_teller_got_frees_nobody_else(
    system: System, stage: Stage
) -> None:
    a, b = await stage.enter(system, "a", "b", mailbox=1)
    asks_a = trio.Event()

    async def rest(_me: Player) -> str:
        await asks_a.wait()
        return "rested"

    async def tell_b(_me: Player) -> str:
        await b.tell(Note())
        return "told"

    async def ask_a(_me: Player) -> str:
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Note())
        return "refused"

    stage.nursery.start_soon(stage.hears, b.ask(Perform(rest)))
    await settle()
    # It fills the mailbox. The bystander gets its room just before it asks a, who still waits.
    stage.nursery.start_soon(stage.hears, b.ask(Perform(ask_a)))
    await settle()
    stage.nursery.start_soon(b.tell, Note())
    await settle()
    stage.nursery.start_soon(stage.hears, a.ask(Perform(tell_b)))
    await settle()
    asks_a.set()
    await settle()
    assert sorted(stage.heard) == ["refused", "rested", "told"]
