"""Orders without a pause: 64 connections that place one order after the other, and wait for none.

Runs as a process of its own: `python -m bench.placer KIND PORT SECONDS`; prints `Counts` as JSON.
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
KINDS: Final = {
    "counter": (request("POST", "/order/", b"{}", "Prefer: respond-async\r\n"), 202),
    "basket": (
        request(
            "POST", "/orders", b'{"items":[%b]}' % ITEM, "Authorization: Bearer customer:ada\r\n"
        ),
        201,
    ),
}
"""By kind: the request, and the status of its answer."""


def main() -> None:
    """Place orders and print the counts, or exit with code 1 and the reason."""
    gc.disable()  # the run is bounded
    asked, status = KINDS[sys.argv[1]]
    try:
        counts = uvloop.run(hammer(int(sys.argv[2]), float(sys.argv[3]), asked, status))
    except* OSError as group:
        sys.exit(f"{group.exceptions[0]}")
    print(json.dumps(asdict(counts)))


if __name__ == "__main__":
    main()
