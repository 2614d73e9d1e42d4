"""Orders without a pause: 64 connections that place one order after the other, and wait for none.

Runs as a process of its own: `python -m bench.placer KIND PORT SECONDS TOKEN`; prints `Counts` as
JSON.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import asdict
from typing import Final

import uvloop

from bench.hammer import hammer
from bench.wire import request

ITEM: Final = b'{"product_id":"latte","variation_id":"latte-vanilla","quantity":1}'


def asked_for(kind: str, token: str) -> tuple[bytes, int]:
    """Return the request that places an order of a kind, and the status of its answer."""
    if kind == "counter":
        return request("POST", "/order/", b"{}", "Prefer: respond-async\r\n"), 202
    fields = f"Authorization: Bearer {token}\r\n"
    return request("POST", "/orders", b'{"items":[%b]}' % ITEM, fields), 201


def main() -> None:
    """Place orders and print the counts, or exit with code 1 and the reason."""
    gc.disable()  # the run is bounded
    kind, port, seconds, token = sys.argv[1:]
    try:
        counts = uvloop.run(hammer(int(port), float(seconds), *asked_for(kind, token)))
    except* OSError as group:
        sys.exit(f"{group.exceptions[0]}")
    print(json.dumps(asdict(counts)))


if __name__ == "__main__":
    main()
