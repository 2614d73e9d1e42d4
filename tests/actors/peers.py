"""Peers: actors whose async handler runs any code, so that they can wait for each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from actors import Actor, Message, Ref, Reply, System

Code = Callable[["Peer"], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class RunAsync(Message["Peer", str]):
    """Answered by an async handler with what the code returns."""

    code: Code


@dataclass(frozen=True, slots=True)
class Ping(Message["Peer", str]):
    """Answered at once."""


@dataclass(frozen=True, slots=True)
class Keep(Message["Peer", str]):
    """Kept until SendKept."""


@dataclass(frozen=True, slots=True)
class SendKept(Message["Peer", None]):
    """Answers everything that is kept."""


class Peer(Actor):
    def __init__(self, peers: Peers) -> None:
        self.peers = peers
        self.kept: list[Reply[str]] = []

    @RunAsync.handler
    async def run_async(self, message: RunAsync) -> str:
        return await message.code(self)

    @Ping.handler
    def ping(self, _message: Ping) -> str:
        return "pong"

    @Keep.deferred
    def keep(self, _message: Keep, reply: Reply[str]) -> None:
        self.kept.append(reply)

    @SendKept.handler
    def send_kept(self, _message: SendKept) -> None:
        for reply in self.kept:
            reply.send("kept")


class Peers:
    """The peers by name, and a nursery that is outside of all of them."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.refs: dict[str, Ref[Peer]] = {}
        self.answers: list[str] = []

    async def start(self, system: System, *names: str, mailbox: int = 16) -> list[Ref[Peer]]:
        for name in names:
            self.refs[name] = await system.start(partial(Peer, self), name=name, mailbox=mailbox)
        return [self.refs[name] for name in names]

    def ask_path(self, first: str, *rest: str) -> RunAsync:
        """Return a message that makes each peer on the path ask the next; the last gets a Ping."""

        async def code(me: Peer) -> str:
            following = self.ask_path(*rest) if rest else Ping()
            return await me.peers.refs[first].ask(following)

        return RunAsync(code)

    async def collect(self, answer: Awaitable[str]) -> None:
        """Wait for an answer in the background."""
        self.answers.append(await answer)
