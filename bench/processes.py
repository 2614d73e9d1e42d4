"""Everything that a benchmark starts: the servers measured, the load, the attacker.

Rule: each is a process of its own, known by its handle, stopped on every way out and killed when it
outlives its time. So no number shares an interpreter with what measures it, and nothing is left.
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


TIRELESS = ("--worker-limit-requests", "1000000")
"""For baristas who claim and finish without a pause, thousands of times a second."""


def cafe(database_url: str) -> tuple[str, ...]:
    """Give the café's command line, with the image's log, every line of it."""
    options = ("--log-format", "json", "--database-url", database_url)
    return ("cafe", "serve", *PORTS, *TIRELESS, *options)


CAFE = cafe(IN_MEMORY)  # the plain peers remember nothing on disk either
CAFE_AS_STARTED = ("cafe", "serve", *PORTS)
"""All defaults, with a database in the folder in which it is started."""


def usual(file: Path) -> tuple[str, ...]:
    """Give the command line of the peer made the usual way, with its database."""
    return ("bench.peers.usual", str(file))


PLAIN_HYPERCORN = ("bench.peers.plain", "hypercorn")
PLAIN_UVICORN = ("bench.peers.plain", "uvicorn")


class BenchmarkError(Exception):
    """A benchmark has no figure to show, and this is why."""


class Program:
    """A Python module of ours, run as a process that is spoken to by lines."""

    def __init__(
        self, argv: tuple[str, ...], *, most_seconds: float, errors: int | IO[str], folder: Path
    ) -> None:
        self.name = argv[0]
        # Our modules wherever it is started, and nobody's settings of the café.
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
        """Wait for the next line; raises BenchmarkError with the reason where the program ended."""
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
        """End the process if it has not ended, gently first."""
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
    """Run a program for as long as the block lasts."""
    started = Program(argv, most_seconds=most_seconds, errors=errors, folder=folder)
    try:
        yield started
    finally:
        started.stop()


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, and where."""

    pid: int
    client_port: int
    worker_port: int

    def memory(self) -> int:
        """Give its resident memory in bytes, once it has come to rest."""
        self.settle()
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()

    def settle(self) -> None:
        """Wait until the server has next to nothing to do, ten seconds at most."""
        for _ in range(20):
            before = self.processor_seconds()
            sleep(0.5)
            if self.processor_seconds() - before < 0.015:  # a clock tick at most
                return

    def processor_seconds(self) -> float:
        """Give its processor time so far: other work on the machine does not add to it."""
        return processor_seconds(self.pid)


def processor_seconds(pid: int) -> float:
    """Give what a process has used so far, also when it has ended and nobody has waited for it."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(
    argv: tuple[str, ...], errors: int | IO[str] = subprocess.DEVNULL, folder: Path = ROOT
) -> Generator[Server]:
    """Run one of the servers; its log goes to /dev/null, at the price of writing it."""
    with program(*argv, most_seconds=1_200, errors=errors, folder=folder) as started:
        ports: dict[str, int] = {}
        while ports.keys() != {"client", "worker"}:
            if line := re.match(r"(client|worker) http://[^/]+:(\d+)", started.read()):
                ports[line[1]] = int(line[2])
        yield Server(started.process.pid, ports["client"], ports["worker"])


@contextmanager
def serving_as_started() -> Generator[Server]:
    """Run the café as a user starts it: in a folder of its own, its log in a file."""
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
    """Wait for a load's end and read what it measured."""
    while not (line := started.read()).startswith("{"):
        pass
    result: Mapping[str, Any] = json.loads(line)
    return Result(**result)


def rush(server: Server, **plan: Any) -> Result:
    """Run a load to its end."""
    with load(server, **plan) as started:
        return result_of(started)
