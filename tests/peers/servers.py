"""The three servers: ours and its two peers, each a process of its own on a free port.

Rule: all are started, used and stopped alike, and none runs longer than MOST_SECONDS. The peers
have their defaults, except for time-outs that a slow machine could exceed, and for the number of
requests after which a connection closes.
Run as `python -m tests.peers.servers ours|uvicorn|hypercorn`; prints its port.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import hypercorn.asyncio
import structlog
import trio
import uvicorn
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from cafe.limits.admission import Admission
from cafe.server.config import ServerConfig
from cafe.server.serve import serve
from tests.peers.application import application
from tests.system.tiny_server import PROBLEMS

ROOT = Path(__file__).parent.parent.parent
MOST_SECONDS = 300
TIMEOUT = 240.0
"""No server closes a connection that was idle for less."""
MOST_REQUESTS = 10**9


def announce(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=100)


async def serve_ours() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    config = ServerConfig()
    config.bind = ["127.0.0.1:0"]
    config.keep_alive_timeout = config.head_timeout = TIMEOUT
    config.keep_alive_max_requests = MOST_REQUESTS
    guard = Admission(per_address=None, total=1000)
    async with trio.open_nursery() as nursery:
        served = partial(
            serve, application, config, guard, PROBLEMS, shutdown_trigger=trio.sleep_forever
        )
        urls: list[str] = await nursery.start(served)
        announce(urlsplit(urls[0]).port or 0)


def run_ours() -> None:
    trio.run(serve_ours)


def run_uvicorn() -> None:
    """Serve with uvloop and httptools."""
    bound = listener()
    announce(bound.getsockname()[1])
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        access_log=False,
        timeout_keep_alive=int(TIMEOUT),
    )
    uvicorn.Server(config).run(sockets=[bound])


def run_hypercorn() -> None:
    """Serve on asyncio: on trio one bad connection would end the whole process."""
    bound = listener()
    announce(bound.getsockname()[1])
    config = Config()
    config.bind = [f"fd://{bound.detach()}"]
    config.keep_alive_timeout = TIMEOUT
    config.keep_alive_max_requests = MOST_REQUESTS
    asyncio.run(hypercorn.asyncio.serve(cast("ASGIFramework", application), config))  # pyright: ignore[reportUnknownMemberType] - its WSGI part


KINDS: Mapping[str, Callable[[], None]] = {
    "ours": run_ours,
    "uvicorn": run_uvicorn,
    "hypercorn": run_hypercorn,
}


@contextmanager
def running(kind: str) -> Generator[int]:
    """Run one of the servers for as long as the block lasts; yield its port."""
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.peers.servers", kind),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
            assert process.poll() is None, f"{kind} has ended"
        finally:
            process.kill()


@contextmanager
def all_running() -> Generator[dict[str, int]]:
    """Run all three; yield their ports."""
    with ExitStack() as stack:
        yield {kind: stack.enter_context(running(kind)) for kind in KINDS}


if __name__ == "__main__":
    signal.alarm(MOST_SECONDS)  # its parent may have been killed
    KINDS[sys.argv[1]]()
