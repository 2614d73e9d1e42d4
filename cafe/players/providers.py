"""`cafe providers`: stand-ins for the providers and the booking program that the shop calls.

Rule: on loopback only. They are for trying out and for tests: nothing is charged, and no request
for a table is decided.
"""

from __future__ import annotations

import signal
from functools import partial
from typing import Annotated

import trio
import typer

from cafe.http.problem import problem_response, request_id_of
from cafe.limits.admission import Admission
from cafe.operations.logs import set_up_logs
from cafe.players.stand_ins import Manner, Providers, StandIn
from cafe.server.config import ServerConfig
from cafe.server.context import Problems
from cafe.server.serve import serve

SETTINGS = {
    "CAFE_PAYMENT_URL": "charges",
    "CAFE_REFUND_URL": "refunds",
    "CAFE_NOTIFICATION_URL": "notifications",
    "CAFE_BOOKING_WEBHOOK": "bookings",
}
"""By setting, the path that it names."""
MOST_CONNECTIONS = 1_000


async def run_providers(port: int, providers: Providers) -> None:
    """Serve the stand-ins until SIGTERM or SIGINT; print the settings that name them."""
    config = ServerConfig()
    config.bind = [f"127.0.0.1:{port}"]
    config.graceful_timeout = 0.5
    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            serving = partial(
                serve,
                providers.app(),
                config,
                Admission(MOST_CONNECTIONS, MOST_CONNECTIONS),
                Problems(problem_response, request_id_of),
                shutdown_trigger=stop.wait,
            )
            (url,) = await nursery.start(serving)
            for setting, path in SETTINGS.items():
                print(f"export {setting}={url}/{path}", flush=True)
            await anext(signals)
            stop.set()


def providers(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 is any free port.")] = 8090,
    charges: Annotated[Manner, typer.Option(help="How charges are answered.")] = Manner.ACCEPT,
    refunds: Annotated[Manner, typer.Option(help="How refunds are answered.")] = Manner.ACCEPT,
    notifications: Annotated[
        Manner, typer.Option(help="How notifications are answered.")
    ] = Manner.ACCEPT,
    bookings: Annotated[
        Manner, typer.Option(help="How requests for tables are answered.")
    ] = Manner.ACCEPT,
) -> None:
    """Stand in for the providers of payments, refunds and notifications, until Ctrl-C.

    And for a booking program, which takes requests for tables and decides none. Prints the settings
    to start a shop with. GET /charges, /refunds, /notifications and /bookings list what was done;
    PUT /manners {"charges": "stall"} changes how they answer from then on.
    """
    stand_ins = Providers(*map(StandIn, (charges, refunds, notifications, bookings)))
    trio.run(run_providers, port, stand_ins, instruments=set_up_logs("auto"))
