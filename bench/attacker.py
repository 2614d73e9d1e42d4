"""The attacker: one address, many connections, orders as fast as it can, for a bounded time.

Rule: it never waits for coffee. Each order asks for an answer at once (202), so the flood goes on
until it is refused, and a closed connection is opened again at once. So is one that gets no answer:
a banned address's packets are dropped, and to wait for them to be sent again would be to give up.
Waits for a line before it begins; run as `python -m bench.attacker PORT SECONDS`; prints what it
got as JSON.
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
PATIENCE = 0.1
KNOCKING = 0.005  # his patience once he has had no answer; it takes all of a process's time
ORDER = request("POST", "/order/", fields="Prefer: respond-async\r\n")


async def flood(port: int, until: float, got: Counter[str]) -> None:
    """Order on one connection after the other until the time is over."""
    client, patience = Client(port, ADDRESS), PATIENCE
    while perf_counter() < until:
        try:
            async with asyncio.timeout(patience):
                answer = await client.ask(ORDER)
        except OSError as error:  # TimeoutError is one, too
            got[type(error).__name__] += 1
            patience = KNOCKING
            client.close()
            await asyncio.sleep(0)
        else:
            got[str(answer.status)] += 1
            patience = PATIENCE
    client.close()


async def attack(port: int, seconds: float) -> Counter[str]:
    """Flood on every connection at once, and count the answers by what they were."""
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
