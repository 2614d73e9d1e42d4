"""The application's lifespan around its serving: hypercorn's, with two of its edges taken off.

Rule: nothing is served before the start-up is complete, nor when it has failed. What must outlive
the connections (the actors) belongs to the shop, not in here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio
from hypercorn.config import Config
from hypercorn.trio.lifespan import Lifespan
from hypercorn.typing import AppWrapper, ASGISendEvent, LifespanState


class _Lifespan(Lifespan):
    failed = False

    async def asgi_send(self, message: ASGISendEvent) -> None:
        self.failed = message["type"] == "lifespan.startup.failed"
        await super().asgi_send(message)


@asynccontextmanager
async def started(app: AppWrapper, config: Config) -> AsyncGenerator[LifespanState]:
    """Run the application's start-up, the block, its shutdown; give the state that it has set."""
    lifespan = _Lifespan(app, config, {})
    async with trio.open_nursery() as nursery:
        await nursery.start(lifespan.handle_lifespan)
        # An application without a lifespan has ended by now, and with it the channel to it.
        if not lifespan.startup.is_set():
            await lifespan.wait_for_startup()
        if lifespan.failed:  # its error is on the way; hypercorn would serve until it arrives
            await trio.sleep_forever()
        yield lifespan.state
        if not lifespan.shutdown.is_set():
            await lifespan.wait_for_shutdown()
        nursery.cancel_scope.cancel()
