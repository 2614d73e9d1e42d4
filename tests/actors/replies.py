"""Actors that keep replies, drop them, answer them twice, or let others answer."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from actors import Actor, Message, Ref, Reply


@dataclass(frozen=True, slots=True)
class Take(Message["Keeper", int]):
    """Kept until Forget, or for ever."""


@dataclass(frozen=True, slots=True)
class Forget(Message["Keeper", None]):
    """Drops every reply."""


@dataclass(frozen=True, slots=True)
class Leave(Message["Keeper", None]):
    """Cancels a scope, and registers callbacks of `on_abandoned` after it."""

    scope: trio.CancelScope


class Keeper(Actor):
    """Keeps replies."""

    def __init__(self, *, cyclic: bool = False) -> None:
        self.cyclic = cyclic
        self.kept: list[Reply[int]] = []
        self.abandoned = 0

    @Take.deferred
    def take(self, _message: Take, reply: Reply[int]) -> None:
        self.kept.append(reply)
        if self.cyclic:
            reply.on_abandoned(lambda: self.kept.remove(reply))

    @Forget.handler
    def forget(self, _message: Forget) -> None:
        self.kept.clear()

    @Leave.handler
    def leave(self, message: Leave) -> None:
        message.scope.cancel()
        for reply in self.kept:
            reply.on_abandoned(self.count)
        assert self.abandoned == 0, "not inside this turn"

    def count(self) -> None:
        self.abandoned += 1


@dataclass(frozen=True, slots=True)
class AnswerTwice(Message["Eager", int]):
    """Answered, and then again."""


@dataclass(frozen=True, slots=True)
class KeepAndBreak(Message["Eager", int]):
    """Never answered: its handler crashes."""


class Eager(Actor):
    @AnswerTwice.deferred
    def answer_twice(self, _message: AnswerTwice, reply: Reply[int]) -> None:
        reply.send(1)
        reply.send(2)

    @KeepAndBreak.deferred
    def keep_and_break(self, _message: KeepAndBreak, reply: Reply[int]) -> None:
        self.reply = reply
        raise KeyError


@dataclass(frozen=True, slots=True)
class Delegate(Message["Broker", int]):
    """Answered by another actor."""


@dataclass(frozen=True, slots=True)
class Answer(Message["Clerk", None]):
    """Sends an answer for another actor."""

    reply: Reply[int]


class Clerk(Actor):
    @Answer.handler
    def answer(self, message: Answer) -> None:
        message.reply.send(41)


class Broker(Actor):
    def __init__(self, clerk: Ref[Clerk]) -> None:
        self.clerk = clerk

    @Delegate.deferred
    def delegate(self, _message: Delegate, reply: Reply[int]) -> None:
        self.clerk.tell_nowait(Answer(reply))
