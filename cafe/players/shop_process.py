"""A shop of one's own in a subprocess, on free ports, for as long as a block runs.

Rule: whatever ends the block, the shop is asked to close with SIGTERM, and is gone afterwards.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import trio

from cafe.players.client import PlayerError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_START_SECONDS = 20.0
_STOP_SECONDS = 15.0
_FREE_PORTS = ("--client-bind", "127.0.0.1:0", "--worker-bind", "127.0.0.1:0")
_COMMAND = (sys.executable, "-m", "cafe", "serve", *_FREE_PORTS, "--log-format", "json")
_ADDRESS = re.compile(r"^(client|worker) (https?://\S+?)/docs$", re.MULTILINE)


class ShopProcessError(PlayerError):
    """The shop did not start, or did not end as it should."""

    def __init__(self, what: str, code: int | None, last_line: str) -> None:
        super().__init__(f"the shop {what} (exit code {code}): {last_line}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Shop:
    """Where a running shop serves."""

    client: str
    worker: str


def parse_addresses(printed: str) -> Shop | None:
    """Read the addresses that `cafe serve` prints, once both are there."""
    found = dict(_ADDRESS.findall(printed))
    return (
        Shop(found["client"], found["worker"]) if len(found) == len(("client", "worker")) else None
    )


@asynccontextmanager
async def open_shop() -> AsyncGenerator[Shop, None]:
    """Start a shop, yield where it serves; raise ShopProcessError when it fails or ends badly."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = await trio.lowlevel.open_process(
            list(_COMMAND),
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C is for the players; the shop's first signal is ours, its second ends it badly.
            process_group=0,
            # The scenario is the same on every machine, whatever its shop is set to, and leaves
            # nothing behind.
            env={key: value for key, value in os.environ.items() if not key.startswith("CAFE_")}
            | {"CAFE_DATABASE_URL": "sqlite://"},
        )
        if process.stdout is None:
            raise RuntimeError("a process opened with a pipe has one")
        shop = await _read_addresses(process, process.stdout)
        if shop is None:
            raise ShopProcessError("did not start", process.returncode, _last_line(log))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, process.stdout)
            try:
                yield shop
            finally:
                await _stop(process)
        if process.returncode:
            raise ShopProcessError("ended badly", process.returncode, _last_line(log))


async def _read_addresses(process: trio.Process, stdout: trio.abc.ReceiveStream) -> Shop | None:
    """Return the addresses once both are printed; else stop the process and return None."""
    printed = ""
    shop = None
    try:
        with trio.move_on_after(_START_SECONDS):
            while shop is None and (chunk := await stdout.receive_some()):
                printed += chunk.decode("utf-8", "replace")
                shop = parse_addresses(printed)
    finally:
        if shop is None:
            await _stop(process)
    return shop


async def _drain(stdout: trio.abc.ReceiveStream) -> None:
    """Read to the end, which the process's end brings, so that a full pipe never stops the shop."""
    with trio.CancelScope(shield=True):
        async for _ in stdout:
            pass


async def _stop(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        process.terminate()
        with trio.move_on_after(_STOP_SECONDS):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    return (log.read().splitlines() or ["it said nothing"])[-1]
