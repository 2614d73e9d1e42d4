"""The application's lifespan around its serving, by the ASGI lifespan protocol.

Rule: nothing is served before the start-up is complete, nor when it has failed. What must outlive
the connections (the actors) belongs to the shop, not in here.

hypercorn's own would bring its HTTP/2 along, which is never spoken here: 3 MiB for each process.
https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import structlog
import trio
from starlette.types import ASGIApp, Message

from cafe.server.config import DoorConfig

log: structlog.stdlib.BoundLogger = structlog.get_logger("lifespan")


class LifespanError(Exception):
    """The application could not start up, or not shut down."""

    def __init__(self, phase: str, why: str) -> None:
        super().__init__(f"The application's {phase} has failed: {why or 'it does not say why'}.")


class Lifespan:
    """One application's start-up and shutdown, as messages to it and from it."""

    def __init__(self, app: ASGIApp, state: dict[str, Any]) -> None:
        self._app = app
        self._scope = {
            "type": "lifespan",
            "asgi": {"spec_version": "2.0", "version": "3.0"},
            "state": state,
        }
        self._send, self._receive = trio.open_memory_channel[Message](1)
        self._done = {"startup": trio.Event(), "shutdown": trio.Event()}

    async def run(self) -> None:
        """Call the application; one that ends early has no lifespan, and is served all the same.

        Raises LifespanError where it says that its start-up or shutdown has failed.
        """
        try:
            await self._app(self._scope, self._receive.receive, self._heard)
        except LifespanError:
            raise
        except Exception:
            if self._done["startup"].is_set():
                log.exception("lifespan ended by an error")
        finally:
            for event in self._done.values():
                event.set()

    async def ask(self, phase: str, seconds: float) -> None:
        """Tell the application of a phase, and wait until it has completed it."""
        done = self._done[phase]
        if not done.is_set():
            self._send.send_nowait({"type": f"lifespan.{phase}"})
            with trio.move_on_after(seconds):
                await done.wait()
        if not done.is_set():
            raise LifespanError(phase, f"it took more than {seconds:g} s")

    async def _heard(self, message: Message) -> None:
        phase, _, ending = message["type"].removeprefix("lifespan.").partition(".")
        if ending == "failed":
            if trio.current_effective_deadline() == -inf:
                return  # Starlette says so of a lifespan that is cancelled, which is no failure
            raise LifespanError(phase, message.get("message", ""))
        self._done[phase].set()


@asynccontextmanager
async def started(app: ASGIApp, config: DoorConfig) -> AsyncGenerator[dict[str, Any]]:
    """Run the application's start-up, the block, its shutdown; give the state that it has set."""
    state: dict[str, Any] = {}
    lifespan = Lifespan(app, state)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lifespan.run)
        await lifespan.ask("startup", config.startup_timeout)
        # Where the start-up has failed, its error ends this block here.
        await trio.lowlevel.checkpoint()
        yield state
        await lifespan.ask("shutdown", config.shutdown_timeout)
        nursery.cancel_scope.cancel()
