"""A stream as a response: its head, its end by time, by closing and by the client."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
import trio
from starlette.types import Message

from cafe.events.sse import RETRY
from cafe.events.stream import MOST_SECONDS, EventStream, Streams
from cafe.http.outer_layer import ANSWERED_AT

pytestmark = pytest.mark.schedules(3)


class Clock:
    """A source with a piece for each minute."""

    def __init__(self) -> None:
        self.closed = 0

    async def next(self) -> bytes:
        await trio.sleep(60)
        return b"a minute\n"

    def close(self) -> None:
        self.closed += 1


class Client:
    """What a server gives an application, on any server but our own."""

    def __init__(self, method: str = "GET", leaves_after: float = inf) -> None:
        self.scope: dict[str, Any] = {"type": "http", "method": method, "headers": [], "state": {}}
        self.sent: list[Message] = []
        self._leaves_at = trio.current_time() + leaves_after

    async def receive(self) -> Message:
        await trio.sleep_until(self._leaves_at)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(message)

    @property
    def bodies(self) -> list[bytes]:
        return [one["body"] for one in self.sent if one["type"] == "http.response.body"]


async def sent_to(
    client: Client, streams: Streams | None = None, seconds: float = inf
) -> tuple[Clock, Streams]:
    """Send a stream to its end."""
    source, streams = Clock(), streams or Streams()
    response = EventStream(source, streams, "client", seconds)
    await response(client.scope, client.receive, client.send)
    assert source.closed == 1
    assert streams.open["client"] == 0
    return source, streams


async def test_a_stream_ends_when_its_time_is_over() -> None:
    client, began = Client(), trio.current_time()
    await sent_to(client, seconds=MOST_SECONDS)
    assert trio.current_time() == began + MOST_SECONDS
    start, *_, last = client.sent
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert dict(start["headers"])[b"cache-control"] == b"no-store"
    assert client.bodies[0] == RETRY
    assert client.bodies[1:-1] == [b"a minute\n"] * (len(client.bodies) - 2)
    assert len(client.bodies) in {16, 17}
    assert not last.get("more_body")


async def test_all_streams_end_together() -> None:
    streams, clients = Streams(), [Client() for _ in range(5)]
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(sent_to, client, streams)
        await trio.sleep(90)
        assert streams.open["client"] == 5
        assert streams.end_all() == 5
    assert [client.bodies[-1] for client in clients] == [b""] * 5
    assert streams.end_all() == 0


async def test_a_client_that_leaves_ends_its_stream() -> None:
    began = trio.current_time()
    await sent_to(Client(leaves_after=90))
    assert trio.current_time() == began + 90


async def test_a_head_request_gets_a_head() -> None:
    client = Client("HEAD")
    await sent_to(client)
    assert client.bodies == [b""]


async def test_a_source_is_closed_also_when_the_request_is_cancelled() -> None:
    source, client = Clock(), Client()
    response = EventStream(source, Streams(), "client")
    with trio.move_on_after(90):
        await response(client.scope, client.receive, client.send)
    assert source.closed == 1
    assert ANSWERED_AT in client.scope["state"]
