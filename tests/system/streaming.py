"""A client of `GET /events` over a real socket, as a page reads it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import trio

from tests.system.until import TIMEOUT


class Message(NamedTuple):
    """One message of a stream."""

    event: str
    position: int
    data: Any


@dataclass
class Stream:
    """What a stream has sent so far."""

    response: httpx.Response
    messages: list[Message] = field(default_factory=list[Message])
    comments: int = 0
    has_ended: bool = False
    """Whether the shop has ended it, as HTTP ends a response."""
    _more: trio.Event = field(default_factory=trio.Event)

    async def read(self) -> None:
        """Read until the end; a connection that breaks is no error here."""
        fields: dict[str, str] = {}
        try:
            async for line in self.response.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                    continue
                self.comments += "" in fields
                if "data" in fields:
                    data = json.loads(fields["data"])
                    self.messages.append(Message(fields["event"], int(fields["id"]), data))
                fields = {}
                self._tell()
            self.has_ended = True
        except httpx.TransportError:
            pass
        self._tell()

    async def until(self, condition: Callable[[list[Message]], object]) -> list[Message]:
        """Wait until the messages are as wanted, and return them."""
        with trio.fail_after(TIMEOUT):
            while not condition(self.messages):
                await self._more.wait()
        return self.messages

    async def newest(self, event: str, fits: Callable[[Any], object]) -> Any:
        """Wait until the newest message of a kind has data that fits, and return that."""

        def is_there(messages: list[Message]) -> bool:
            found = [one.data for one in messages if one.event == event]
            return bool(found and fits(found[-1]))

        messages = await self.until(is_there)
        return [one.data for one in messages if one.event == event][-1]

    def _tell(self) -> None:
        self._more.set()
        self._more = trio.Event()


@asynccontextmanager
async def following(
    client: httpx.AsyncClient,
    query: str = "",
    last: int | None = None,
    fields: Mapping[str, str] | None = None,
) -> AsyncGenerator[Stream]:
    """Follow `GET /events` during the block."""
    headers = {**(fields or {}), **({} if last is None else {"Last-Event-ID": f"{last}"})}
    # No message is due within the usual time-out.
    asked = client.stream("GET", f"/events{query}", headers=headers, timeout=3 * TIMEOUT)
    async with asked as response, trio.open_nursery() as nursery:
        assert response.status_code == httpx.codes.OK, await response.aread()
        stream = Stream(response)
        nursery.start_soon(stream.read)
        yield stream
        nursery.cancel_scope.cancel()
