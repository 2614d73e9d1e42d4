"""The processes of a benchmark: the servers measured, the load, the attacker.

Rule: each is a process of its own, held by its handle, stopped on every way out and killed after a
time limit. So the measured code shares no interpreter with the measuring code, and no process is
left.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from time import sleep
from typing import IO, Any

from bench.load import Plan
from bench.tally import Result

ROOT = Path(__file__).parent.parent
PORTS = ("--client-bind", "127.0.0.1:0", "--worker-bind", "127.0.0.1:0")
IN_MEMORY = "sqlite://"

NO_WORKER_LIMIT = ("--worker-limit-requests", "1000000")
"""For baristas who claim and finish without a pause, thousands of times a second."""


def cafe(database_url: str) -> tuple[str, ...]:
    """Return the café's command line, with the image's log format."""
    options = ("--log-format", "json", "--database-url", database_url)
    return ("cafe", "serve", *PORTS, *NO_WORKER_LIMIT, *options)


CAFE = cafe(IN_MEMORY)  # the plain peers write nothing to disk either
CAFE_AS_STARTED = ("cafe", "serve", *PORTS)
"""All defaults, with a database in the current folder."""


def usual(file: Path) -> tuple[str, ...]:
    """Return the command line of the peer made the usual way, with its database."""
    return ("bench.peers.usual", str(file))


PLAIN_HYPERCORN = ("bench.peers.plain", "hypercorn")
PLAIN_UVICORN = ("bench.peers.plain", "uvicorn")


class BenchmarkError(Exception):
    """A benchmark has no figure; the message says why."""


class Program:
    """A Python module of ours, run as a process that communicates by lines."""

    def __init__(
        self, argv: tuple[str, ...], *, most_seconds: float, errors: int | IO[str], folder: Path
    ) -> None:
        self.name = argv[0]
        # Our modules in every folder, and no settings of the café from this environment.
        kept = {name: at for name, at in os.environ.items() if not name.startswith("CAFE_")}
        self.process = subprocess.Popen(  # noqa: S603 - our own modules, run by this Python
            (sys.executable, "-m", *argv),
            cwd=folder,
            env={**kept, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        self._watchdog = Timer(most_seconds, self.process.kill)
        self._watchdog.daemon = True
        self._watchdog.start()

    def read(self) -> str:
        """Wait for the next line; raises BenchmarkError with the reason if the process ended."""
        line = _pipe(self.process.stdout).readline()
        if line:
            return line.rstrip("\n")
        code = self.process.wait()
        reason = self.process.stderr.read().strip() if self.process.stderr else f"exit code {code}"
        raise BenchmarkError(f"{self.name}: {reason}")

    def go_on(self) -> None:
        """Send the line that the program waits for."""
        pipe = _pipe(self.process.stdin)
        pipe.write("\n")
        pipe.flush()

    def stop(self) -> None:
        """Terminate the process if it runs; kill it if it does not exit."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._watchdog.cancel()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise BenchmarkError("a program was started without its pipes")
    return pipe


@contextmanager
def program(
    *argv: str,
    most_seconds: float,
    errors: int | IO[str] = subprocess.PIPE,
    folder: Path = ROOT,
) -> Generator[Program]:
    """Run a program during the block."""
    started = Program(argv, most_seconds=most_seconds, errors=errors, folder=folder)
    try:
        yield started
    finally:
        started.stop()


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and its ports."""

    pid: int
    client_port: int
    worker_port: int

    def memory(self) -> int:
        """Return its resident memory in bytes, once it is idle."""
        self.settle()
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()

    def settle(self) -> None:
        """Wait until the server is idle, ten seconds at most."""
        for _ in range(20):
            before = self.processor_seconds()
            sleep(0.5)
            if self.processor_seconds() - before < 0.015:  # a clock tick at most
                return

    def processor_seconds(self) -> float:
        """Return its processor time so far; other work on the machine does not add to it."""
        return processor_seconds(self.pid)


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process so far, also of one that has ended unwaited for."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(
    argv: tuple[str, ...], errors: int | IO[str] = subprocess.DEVNULL, folder: Path = ROOT
) -> Generator[Server]:
    """Run one of the servers; its log is written to /dev/null by default."""
    with program(*argv, most_seconds=1_200, errors=errors, folder=folder) as started:
        ports: dict[str, int] = {}
        while ports.keys() != {"client", "worker"}:
            if line := re.search(r"\b(client|worker) http://[^/]+:(\d+)", started.read()):
                ports[line[1]] = int(line[2])
        until_ready(ports["client"])
        yield Server(started.process.pid, ports["client"], ports["worker"])


def until_ready(port: int) -> None:
    """Wait until `/readyz` is 200, as of a front once it has reached its house; 30 s at most."""
    for _ in range(300):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
        connection.close()
        if status in (200, 404):  # a plain peer has no such route
            return
        sleep(0.1)
    raise BenchmarkError("the server does not become ready")


@contextmanager
def housing(database_url: str, bus: str) -> Generator[int]:
    """Run a house that owns a shop; yield its process id."""
    argv = ("cafe", "house", "--house-bind", "127.0.0.1:0", "--log-format", "json")
    options = ("--database-url", database_url, "--bus", bus)
    with program(*argv, *options, most_seconds=1_200, errors=subprocess.DEVNULL) as started:
        while "house http://" not in started.read():
            pass
        yield started.process.pid


def front(bus: str) -> tuple[str, ...]:
    """Return the command line of a front, with the image's log format."""
    return ("cafe", "front", *PORTS, *NO_WORKER_LIMIT, "--log-format", "json", "--bus", bus)


@contextmanager
def serving_as_started() -> Generator[Server]:
    """Run the café as a user starts it, in a new folder, with its log in a file."""
    with (
        TemporaryDirectory() as name,
        Path(name, "cafe.log").open("w") as file,
        serving(CAFE_AS_STARTED, file, Path(name)) as server,
    ):
        yield server


@contextmanager
def load(server: Server, **plan: Any) -> Generator[Program]:
    """Run a load (the members of `Plan`) against a server."""
    whole = Plan(client_port=server.client_port, worker_port=server.worker_port, **plan)
    with program("bench.load", json.dumps(asdict(whole)), most_seconds=240) as started:
        yield started


def result_of(started: Program) -> Result:
    """Wait until a load has ended, and return what it measured."""
    while not (line := started.read()).startswith("{"):
        pass
    result: Mapping[str, Any] = json.loads(line)
    return Result(**result)


def rush(server: Server, **plan: Any) -> Result:
    """Run a load to its end; return what it measured."""
    with load(server, **plan) as started:
        return result_of(started)
