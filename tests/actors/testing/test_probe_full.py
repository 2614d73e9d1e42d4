"""A probe can be full, so that code which meets a full mailbox can be tested with it."""

from __future__ import annotations

import pytest

from actors import ActorStopped, MailboxFull
from actors.testing import Probe
from tests.actors.counter import Add, Counter, Reach


def test_a_probe_with_a_mailbox_is_full_when_it_holds_so_many_messages() -> None:
    probe = Probe(Counter, name="till", mailbox=2)
    probe.tell_nowait(Add(1))
    probe.tell_nowait(Reach(1))
    with pytest.raises(MailboxFull) as full:
        probe.tell_nowait(Add(2))
    assert (full.value.name, full.value.size) == ("till", 2)
    assert probe.received == (Add(1), Reach(1))
    assert probe.statistics().mailbox == 2


async def test_a_message_that_the_test_has_taken_makes_room() -> None:
    probe = Probe(Counter, mailbox=1)
    probe.tell_nowait(Add(1))
    assert await probe.next(Add) == Add(1)
    probe.tell_nowait(Add(2))
    with pytest.raises(MailboxFull):
        probe.tell_nowait(Add(3))


def test_a_probe_without_room_at_all_is_always_full() -> None:
    with pytest.raises(MailboxFull):
        Probe(Counter, mailbox=0).tell_nowait(Add())


async def test_whoever_would_wait_for_room_is_let_in_all_the_same() -> None:
    probe = Probe(Counter, mailbox=0)
    probe.answer(Add, 3)
    assert await probe.ask(Add()) == 3
    await probe.tell(Reach(1))
    assert probe.received == (Add(), Reach(1))


def test_a_full_probe_that_was_stopped_says_that_it_has_stopped() -> None:
    probe = Probe(Counter, mailbox=0)
    probe.stop()
    with pytest.raises(ActorStopped):
        probe.tell_nowait(Add())
