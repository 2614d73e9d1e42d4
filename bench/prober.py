"""The prober: ten addresses that send one kind of request at a steady rate, for a bounded time.

Rule: the rate is kept as long as answers come in time, each address over a few connections; a
connection that is late sends at once. Waits for a line before it begins; prints the number of
requests. Run as
`python -m bench.prober KIND CLIENT_PORT WORKER_PORT PER_SECOND SECONDS`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_urlsafe
from time import perf_counter

import uvloop

from bench.load import turns_of, wait_turn
from bench.wire import Client, request

ADDRESSES = 10
CONNECTIONS = 4
ASYNC = "Prefer: respond-async\r\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request: how it is written, and the status of its answer."""

    write: Callable[[], bytes]
    status: int
    of_baristas: bool = False


def unknown_id() -> str:
    """Return an id of the café's form that no order has: as long, of the same characters."""
    return token_urlsafe(18)


KINDS = {
    "queue": Kind(lambda: request("GET", "/queue"), 200),
    "order": Kind(lambda: request("GET", f"/order/{unknown_id()}"), 404),
    "finish": Kind(lambda: request("POST", f"/finish/{unknown_id()}/"), 404, of_baristas=True),
    "key": Kind(
        lambda: request("POST", "/order/", fields=f"{ASYNC}Idempotency-Key: {unknown_id()}\r\n"),
        202,
    ),
    "keyless": Kind(lambda: request("POST", "/order/", fields=ASYNC), 202),
}


async def probe(kind: Kind, port: int, number: int, per_second: float, until: float) -> int:
    """Ask over one connection, in turn with others; return how often.

    Raises ConnectionError for an answer with another status.
    """
    client = Client(port, f"127.3.0.{number % ADDRESSES + 1}")
    turns = turns_of(number, ADDRESSES * CONNECTIONS, per_second)
    asked = 0
    await wait_turn(turns)
    while perf_counter() < until:
        answer = await client.ask(kind.write())
        if answer.status != kind.status:
            raise ConnectionError(f"{answer.status} instead of {kind.status}: {answer.body[:99]!r}")
        asked += 1
        await wait_turn(turns)
    client.close()
    return asked


async def probe_all(kind: Kind, port: int, per_second: float, seconds: float) -> int:
    """Ask over all connections; return how often in all."""
    until = perf_counter() + seconds
    numbers = range(ADDRESSES * CONNECTIONS)
    return sum(
        await asyncio.gather(*(probe(kind, port, number, per_second, until) for number in numbers))
    )


def main() -> None:
    """Probe and print the number of requests, or exit with code 1 and the reason."""
    name, client_port, worker_port, per_second, seconds = sys.argv[1:]
    kind = KINDS[name]
    port = int(worker_port if kind.of_baristas else client_port)
    sys.stdin.readline()
    try:
        asked = uvloop.run(probe_all(kind, port, float(per_second), float(seconds)))
    except OSError as error:
        sys.exit(f"{error}")
    print(json.dumps(asked))


if __name__ == "__main__":
    main()
