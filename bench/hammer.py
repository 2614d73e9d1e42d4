"""The hammer: 64 keep-alive connections, one request after the other, every answer checked.

Rule: it counts only answers of the expected status, with a body unless that is 304. Runs as a
process of its own: `python -m bench.hammer PORT SECONDS [PATH [ETAG]]`; prints `Counts` as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from dataclasses import asdict, dataclass
from time import perf_counter

import uvloop

from bench.wire import Client, request

NOT_MODIFIED = 304
PATH, ETAG = 3, 4
"""Their positions among the arguments."""
CONNECTIONS = 64
WARM_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Counts:
    """How many requests were answered."""

    requests: int
    """In the measured seconds."""
    seconds: float
    sent: int
    """In the whole run, the warm-up included."""

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds


async def hammer(port: int, seconds: float, asked: bytes, status: int = 200) -> Counts:
    """Keep every connection busy; return the counts after the warm-up."""
    begin = perf_counter() + WARM_SECONDS
    end = begin + seconds
    sent = counted = 0

    async def connection() -> None:
        nonlocal sent, counted
        client = Client(port)
        now = perf_counter()
        while now < end:
            sent += 1
            answer = await client.ask(asked)
            if answer.status != status or bool(answer.body) != (status != NOT_MODIFIED):
                found = f"{answer.status} instead of {status}"
                raise ConnectionError(f"{found}: {answer.body[:200]!r}")
            now = perf_counter()
            counted += begin <= now < end
        client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(connection())
    return Counts(counted, seconds, sent)


def main() -> None:
    """Hammer a port and print the counts, or exit with code 1 and the reason."""
    gc.disable()  # the run is bounded
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    path = sys.argv[PATH] if len(sys.argv) > PATH else "/"
    etag = sys.argv[ETAG] if len(sys.argv) > ETAG else ""
    fields = f"If-None-Match: {etag}\r\n" if etag else ""
    asked = request("GET", path, fields=fields)
    try:
        counts = uvloop.run(hammer(port, seconds, asked, NOT_MODIFIED if etag else 200))
    except* OSError as group:
        sys.exit(f"{group.exceptions[0]}")
    print(json.dumps(asdict(counts)))


if __name__ == "__main__":
    main()
