"""The attacker: one address, many connections, orders as fast as it can, for a bounded time.

Rule: it never waits for coffee. Each order asks for a response at once (202), so the flood goes on
until it is refused, and a closed connection is opened again at once. So is one that gets no
response: the packets of a banned address are dropped, and the kernel's retries would take seconds.
Waits for a line before it begins; run as `python -m bench.attacker PORT SECONDS`; prints the counts
of its responses and errors as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import suppress
from time import perf_counter

import uvloop

from bench.wire import Client, request

ADDRESS = "127.0.0.66"
CONNECTIONS = 64
TIMEOUT = 0.1
SHORT_TIMEOUT = 0.005  # after a time-out; short enough to keep a processor busy
ORDER = request("POST", "/order/", fields="Prefer: respond-async\r\n")


async def flood(port: int, until: float, got: Counter[str]) -> None:
    """Order on one connection after the other until the time is over."""
    client, timeout = Client(port, ADDRESS), TIMEOUT
    while perf_counter() < until:
        try:
            async with asyncio.timeout(timeout):
                answer = await client.ask(ORDER)
        except OSError as error:  # TimeoutError is one, too
            got[type(error).__name__] += 1
            timeout = SHORT_TIMEOUT
            client.close()
            await asyncio.sleep(0)
        else:
            got[str(answer.status)] += 1
            timeout = TIMEOUT
    client.close()


async def attack(port: int, seconds: float) -> Counter[str]:
    """Flood on every connection at once; return the counts of responses by status."""
    got: Counter[str] = Counter()
    until = perf_counter() + seconds
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds + 1), asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(flood(port, until, got))
    return got


if __name__ == "__main__":
    sys.stdin.readline()
    print(json.dumps(uvloop.run(attack(int(sys.argv[1]), float(sys.argv[2])))))
