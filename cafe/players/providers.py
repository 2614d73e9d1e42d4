"""`cafe providers`: stand-ins for the providers and the booking program that the shop calls.

Rule: they listen on loopback only. They are for trying out and for tests: nothing is charged, and
no request for a table is decided.
"""

from __future__ import annotations

import signal
from functools import partial

import trio

from cafe.http.problem import problem_response, request_id_of
from cafe.limits.admission import Admission
from cafe.operations.logs import set_up_logs
from cafe.players.options import Manner
from cafe.players.stand_ins import Providers, StandIn
from cafe.server.config import ServerConfig
from cafe.server.context import Problems
from cafe.server.serve import serve

SETTINGS = {
    "CAFE_PAYMENT_URL": "charges",
    "CAFE_REFUND_URL": "refunds",
    "CAFE_NOTIFICATION_URL": "notifications",
    "CAFE_BOOKING_WEBHOOK": "bookings",
}
"""By setting: the path for its URL."""
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


def play(port: int, *manners: Manner) -> None:
    """Stand in for all providers, each in its manner, until SIGTERM or SIGINT."""
    stand_ins = Providers(*map(StandIn, manners))
    trio.run(run_providers, port, stand_ins, instruments=set_up_logs("auto"))
