"""The real shop in a process of its own, started as an operator starts it, with its log.

Rule: it listens on free ports and gets no CAFE_ variables of this process. It has to end on SIGTERM
with exit code 0, unless the test expects another, and with no sign of a bug in its log. What it
imports is imported once, by `warm.py`, unless the test names its `program`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import httpx
import trio

from tests.system import warm
from tests.system.until import TIMEOUT, until, until_asked
from tests.system.warm import Process

COMMAND = (sys.executable, "-m", "cafe", "serve")
FREE_PORTS = ("--client-bind", "127.0.0.1:0", "--worker-bind", "127.0.0.1:0")
SETTINGS: Mapping[str, object] = {
    # Never the file of the folder that the tests are run in: a shop may be open on it.
    "database_url": "sqlite://",
    "log_format": "json",
    "closing_seconds": 1.0,
    # All baristas of a test have one address, do not pause, and read metrics meanwhile.
    "worker_limit_requests": 10**6,
    "worker_hosts": "other.example, cafe",  # "cafe" is the host of raw requests
}
TOKEN = "open-sesame-4711"
ADDRESS = re.compile(rb"\b(client|worker) (https?://[^/\s]+)(/api/v1/\1)/docs\b")
TLS = httpx.create_ssl_context()  # once, because it takes longer than a request
SIGNS_OF_A_BUG = {"bug", "application failed", "connection isolated", "crashed"}

Line = dict[str, Any]


class Log:
    """What a shop has written to its standard error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[Line] = []
        self._read = 0

    @property
    def text(self) -> str:
        """All of it, as it was written."""
        return self._path.read_text("utf-8")

    def lines(self, event: str | None = None, **members: object) -> list[Line]:
        """Return the lines so far that are of this event and have these members."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            *whole, _rest = file.read().split(b"\n")
        self._read += sum(len(line) + 1 for line in whole)
        self._lines += [json.loads(line) for line in whole if line.startswith(b"{")]
        wanted = {**members, **({} if event is None else {"event": event})}
        return [line for line in self._lines if wanted.items() <= line.items()]

    async def line(self, event: str, **members: object) -> Line:
        """Wait for such a line, and return the first."""
        await until(lambda: self.lines(event, **members))
        return self.lines(event, **members)[0]


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop that is open, with the URLs of its two apps, without prefixes."""

    client: str
    worker: str
    process: Process
    log: Log
    database: Path
    """Its file, unless its settings name another database."""
    database_url: str = ""

    def customers(self, address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        """Return a client of the customers' app that connects from `address`."""
        return _client(self.client, address, options)

    def baristas(self, address: str | None = None, **options: Any) -> httpx.AsyncClient:
        """Return a client of the baristas' app that connects from `address`, if given."""
        return _client(self.worker, address, options)

    async def connect(self, address: str | None = None, url: str = "") -> trio.SocketStream:
        """Open a connection from `address`, to the customers' app unless `url` is another."""
        place = urlsplit(url or self.client)
        host, port = place.hostname or "", place.port or 0
        sock = trio.socket.socket(trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET)
        try:
            if address is not None:
                await sock.bind((address, 0))
            await sock.connect((host, port))
        except BaseException:
            sock.close()
            raise
        return trio.SocketStream(sock)

    async def orders(self, status: str = "") -> list[Line]:
        """Return the live orders, oldest first, or only those with this status."""
        orders: list[Line] = []
        async with self.baristas() as worker:
            page: str | None = "/orders"
            while page is not None:
                response = await worker.get(page)
                orders += response.json()["orders"]
                page = response.links.get("next", {}).get("url")
        return [order for order in orders if status in {"", order["status"]}]

    async def metric(self, name: str, headers: Mapping[str, str] | None = None) -> float:
        """Return the value of a metric, given its name and labels as /metrics shows them."""
        async with self.baristas(headers=headers) as worker:
            text = (await worker.get("/metrics")).text
        (value,) = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(value)

    async def settle(self) -> None:
        """Wait until the log has a line for all that has happened so far."""
        mark = secrets.token_hex(8)
        async with self.baristas() as worker:
            # It fails, else there would be no line, and is not counted against the address.
            await worker.post("/livez", headers={"X-Request-ID": mark})
        await self.log.line("request", request_id=mark)

    async def has_waiting(self, number: int) -> None:
        """Wait until so many orders wait."""

        async def are_so_many() -> bool:
            return await self.metric("cafe_queue_length") == number

        await until_asked(are_so_many)

    async def ended(self) -> int:
        """Wait for the process to end, and return its exit code."""
        return await trio.to_thread.run_sync(self.process.wait, TIMEOUT)


def _client(url: str, address: str | None, options: dict[str, Any]) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    transport = httpx.AsyncHTTPTransport(verify=TLS, local_address=address, limits=limits)
    return httpx.AsyncClient(base_url=url, transport=transport, timeout=TIMEOUT, **options)


@contextmanager
def open_shop(
    options: Sequence[str] = FREE_PORTS,
    *,
    program: Sequence[str] = (),
    exit_code: int = 0,
    **settings: object,
) -> Generator[Shop]:
    """Run a shop during the block, with command line `options` and CAFE_ `settings`.

    `program` is another command that opens a shop, with the same options and settings; COMMAND is
    the usual one, of which nothing is imported before.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        database = Path(folder, "cafe.db")
        files = {"database_url": f"sqlite:///{database}", "mail_dir": f"{folder}/mail"}
        settings = {**files, **settings}
        with path.open("wb") as errors:
            run = _process(program, options, settings, errors)
            try:
                found = _addresses(run, path)
                urls = found[b"client"].decode(), found[b"worker"].decode()
                url = str(settings["database_url"])
                shop = Shop(*urls, run, Log(path), database, url)
                yield shop
                run.send_signal(signal.SIGTERM)  # does nothing if it has ended
                assert run.wait(TIMEOUT) == exit_code, path.read_text("utf-8")
                assert [one for one in shop.log.lines() if one["event"] in SIGNS_OF_A_BUG] == []
            finally:
                run.kill()
                run.wait()
                if run.stdout is not None:
                    run.stdout.close()


async def serve_until_exit(*options: str, **settings: object) -> subprocess.CompletedProcess[bytes]:
    """Run a shop that does not start, or not for long, until it exits.

    What it prints is for people, unless the settings say otherwise.
    """
    settings = {"log_format": "console", **settings}
    with trio.fail_after(TIMEOUT):
        return await trio.run_process(
            [*COMMAND, *FREE_PORTS, *options],
            env=environment(settings),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )


def _process(
    program: Sequence[str],
    options: Sequence[str],
    settings: Mapping[str, object],
    errors: IO[bytes],
) -> Process:
    if not program:
        return warm.start(["serve", *options], environment(settings), errors.fileno())
    return subprocess.Popen(
        [*program, *options],
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment(settings),
        start_new_session=True,  # so that Ctrl-C in the terminal reaches the tests only
    )


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Return an environment with these CAFE_ variables and our usual ones, and no others."""
    ours = {f"CAFE_{name.upper()}": str(value) for name, value in {**SETTINGS, **settings}.items()}
    others = {name: value for name, value in os.environ.items() if not name.startswith("CAFE_")}
    return others | ours


def _addresses(run: Process, log: Path) -> dict[bytes, bytes]:
    """Read what the shop prints until it has printed both addresses."""
    assert run.stdout is not None
    printed = b""
    found: dict[bytes, bytes] = {}
    while len(found) < len(("client", "worker")):
        readable, _, _ = select.select([run.stdout], [], [], TIMEOUT)
        piece = os.read(run.stdout.fileno(), 4096) if readable else b""
        assert piece, f"the shop did not start: {log.read_text('utf-8')}"
        printed += piece
        found = {match[1]: match[2] for match in ADDRESS.finditer(printed)}
    return found
