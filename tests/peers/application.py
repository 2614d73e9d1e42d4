"""The application that each server runs: it echoes the request, or responds in one of many shapes.

Rule: plain ASGI, bound to no event loop. Each response of its own has the header `x-app`; one
without it was made by the server.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.types import Receive, Scope, Send

MARK = (b"x-app", b"1")
Headers = Sequence[tuple[bytes, bytes]]
Shape = Callable[[Scope, Receive, Send], Awaitable[None]]


class PlannedError(Exception):
    """Raised by the application where its path asks for it."""


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond in the shape that the path names, by default with an echo."""
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "http":
        await SHAPES.get(str(scope["path"]), echo)(scope, receive, send)
    else:
        raise PlannedError("there is nothing but HTTP here")


async def live(receive: Receive, send: Send) -> None:
    for moment in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{moment}.complete"})


async def start(send: Send, status: int = 200, headers: Headers = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [MARK, *headers]})


async def body(send: Send, data: bytes = b"", *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def respond(send: Send, data: bytes, status: int = 200, headers: Headers = ()) -> None:
    await start(send, status, [*headers, (b"content-length", b"%d" % len(data))])
    await body(send, data)


async def read(receive: Receive) -> bytes:
    """Return the whole body; raises PlannedError if the client disconnects within it."""
    data = bytearray()
    while (message := await receive())["type"] == "http.request":
        data += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(data)
    raise PlannedError("gone")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the request as JSON; bytes become their Latin-1 characters."""
    await respond(send, as_json(scope, await read(receive)))


async def no_read(scope: Scope, _receive: Receive, send: Send) -> None:
    """Respond without reading the body."""
    await respond(send, as_json(scope, b""))


def as_json(scope: Mapping[str, Any], data: bytes) -> bytes:
    names = ("method", "http_version", "path", "scheme", "root_path")
    given: dict[str, object] = {name: scope[name] for name in names}
    for name in ("raw_path", "query_string"):
        given[name] = bytes(scope[name]).decode("latin-1")
    given["headers"] = [
        [bytes(name).decode("latin-1"), bytes(value).decode("latin-1")]
        for name, value in scope["headers"]
    ]
    given["body"] = data.decode("latin-1")
    return json.dumps(given).encode()


async def pong(_scope: Scope, _receive: Receive, send: Send) -> None:
    await respond(send, b"pong")


async def stream(_scope: Scope, receive: Receive, send: Send) -> None:
    """Send three pieces and an empty one, of a length that is not sent."""
    await read(receive)
    await start(send)
    for data in (b"one ", b"two ", b"", b"three"):
        await body(send, data, more=True)
    await body(send)


async def stream_of_known_length(_scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await start(send, headers=[(b"content-length", b"6")])
    await body(send, b"one", more=True)
    await body(send, b"two")


async def empty(_scope: Scope, _receive: Receive, send: Send) -> None:
    await respond(send, b"")


async def empty_stream(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send)
    await body(send)


async def no_content(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send, 204)
    await body(send)


async def not_modified(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send, 304, [(b"etag", b'"1"')])
    await body(send)


async def teapot(_scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with an error of the application's own, which keeps the connection open."""
    await read(receive)
    await respond(send, b"short and stout", 418, [(b"content-type", b"text/plain")])


async def repeated(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Repeat header fields, one of them empty."""
    headers = [(b"set-cookie", b"a=1"), (b"x-empty", b""), (b"set-cookie", b"b=2; Path=/")]
    await respond(send, b"cookies", headers=headers)


async def goodbye(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Respond with `Connection: close`."""
    await respond(send, b"bye", headers=[(b"connection", b"close")])


async def fail(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Fail before the head of the response."""
    await read(receive)
    raise PlannedError("early")


async def fail_late(_scope: Scope, receive: Receive, send: Send) -> None:
    """Fail in the middle of a response."""
    await read(receive)
    await start(send)
    await body(send, b"half", more=True)
    raise PlannedError("late")


async def fail_after(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Fail after a complete response."""
    await respond(send, b"whole")
    raise PlannedError("too late to matter")


async def say_nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Return without a response."""


async def short(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Announce more bytes than are sent."""
    await start(send, headers=[(b"content-length", b"9")])
    await body(send, b"short")


SHAPES: Mapping[str, Shape] = {
    "/ping": pong,
    "/unread": no_read,
    "/stream": stream,
    "/stream-6": stream_of_known_length,
    "/empty": empty,
    "/empty-stream": empty_stream,
    "/204": no_content,
    "/304": not_modified,
    "/teapot": teapot,
    "/repeated": repeated,
    "/goodbye": goodbye,
    "/fail": fail,
    "/fail-late": fail_late,
    "/fail-after": fail_after,
    "/say-nothing": say_nothing,
    "/short": short,
}
CUTS_OFF = ("/fail-late", "/short")
"""Where the application breaks a response off, so that the server can only close."""
