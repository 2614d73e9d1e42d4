"""Houses and fronts as processes, each with its own ports.

Rule: a test does to a process what an operator does: start it, kill it, freeze it, thaw it, ask it
to stop. A process that is restarted has the same ports, and appends to the same log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import trio

from tests.machines.redis_server import HOST, free_port
from tests.system.killing import NO_LIMITS
from tests.system.shop import SIGNS_OF_A_BUG, Line, Log, Shop, environment
from tests.system.until import TIMEOUT

LEASE = 1.5
"""The seconds after which the order of a barista who disconnected is in the queue again."""
SETTINGS: Mapping[str, object] = {**NO_LIMITS, "lease_seconds": LEASE}
CLIENT_ONLY, WORKER_ONLY = "--client-only", "--worker-only"
PAUSE = 0.05
"""The seconds between two checks of a process's readiness."""
LOOK_SECONDS = 1.0
"""The time-out of a check: without an answer, a process counts as not ready."""


class Readiness(NamedTuple):
    """The answer of `/readyz`."""

    status: int
    """0 without an answer."""
    reason: str = ""
    """Why it is not ready, such as `standby`."""


READY = Readiness(200)
STANDBY = Readiness(503, "standby")


class Machine:
    """A process, with the folder of its log."""

    def __init__(
        self, folder: Path, name: str, command: Sequence[str], settings: Mapping[str, object]
    ) -> None:
        self.name = name
        self.folder = folder
        self.log = Log(folder / f"{name}.log")
        self.process: subprocess.Popen[bytes] | None = None
        self.is_frozen = False
        self._command = (sys.executable, "-m", "cafe", *command)
        self._settings = dict(settings)

    @property
    def url(self) -> str:
        """Return where it answers `/readyz`."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process; it is not ready yet."""
        assert not self.is_running
        file = self.folder / f"{self.name}.log"
        with file.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # so that Ctrl-C in the terminal reaches the tests only
            )

    def environment(self) -> dict[str, str]:
        """Return the environment of the process, without any other variables of the café."""
        # Our modules, in whatever folder the process runs.
        return {
            **environment(self._settings),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }

    def kill(self) -> float:
        """End the process as by a loss of power; return a time at which it has ended."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.is_frozen = False
        return time.time()

    def freeze(self) -> None:
        """Stop the process's clock: the kernel still accepts connections, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """Resume a frozen process."""
        os.kill(self.pid, signal.SIGCONT)
        self.is_frozen = False

    def ask_to_stop(self) -> None:
        """Ask the process to close, as an orchestrator does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait for the process to end, and return its exit code."""
        assert self.process is not None
        return await trio.to_thread.run_sync(self.process.wait, TIMEOUT)

    async def readiness(self) -> Readiness:
        """Return its current answer to `/readyz`."""
        try:
            async with httpx.AsyncClient(timeout=LOOK_SECONDS, trust_env=False) as client:
                answer = await client.get(f"{self.url}/readyz")
        except httpx.HTTPError:
            return Readiness(0)
        members: Line = answer.json()
        return Readiness(answer.status_code, members.get("reason", ""))

    async def until_ready(self) -> None:
        """Wait until it is ready; raises AssertionError with its log if it ends before."""
        await self._until(READY)

    async def until_not_ready(self, reason: str) -> None:
        """Wait until it answers that it is not ready, for this reason."""
        await self._until(Readiness(503, reason))

    async def _until(self, wanted: Readiness) -> None:
        found = Readiness(0)
        with trio.move_on_after(TIMEOUT):
            while (found := await self.readiness()) != wanted and self.is_running:  # noqa: ASYNC110 - as `until_asked`
                await trio.sleep(PAUSE)
        assert found == wanted, f"{self.name}: {found}, not {wanted}\n{self.log.text[-3000:]}"

    def signs_of_a_bug(self) -> list[Line]:
        """Return the lines of its log that no failure of a test explains."""
        return [line for line in self.log.lines() if line["event"] in SIGNS_OF_A_BUG]


class House(Machine):
    """A house: it owns the shop, or waits as a standby."""

    def __init__(
        self, folder: Path, name: str, database_url: str, bus: str, **settings: object
    ) -> None:
        """Reach the database and the bus at these URLs, which may be relays'."""
        self.port = free_port()
        own = {"house_bind": f"{HOST}:{self.port}", "database_url": database_url, "bus": bus}
        files = {"mail_dir": folder / "mail"}
        super().__init__(folder, name, ("house",), {**SETTINGS, **files, **own, **settings})

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def until_standby(self) -> None:
        """Wait until it is a standby."""
        await self._until(STANDBY)


class Front(Machine):
    """A front: both ports, and no database."""

    def __init__(
        self, folder: Path, name: str, bus: str, *options: str, **settings: object
    ) -> None:
        """Reach the bus at this URL, which may be a relay's; `options` are as `--client-only`."""
        self.ports = free_port(), free_port()
        client, worker = (f"{HOST}:{port}" for port in self.ports)
        own = {"client_bind": client, "worker_bind": worker, "bus": bus}
        super().__init__(folder, name, ("front", *options), {**SETTINGS, **own, **settings})
        self._looked_at = self.ports[1 if WORKER_ONLY in options else 0]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._looked_at}"

    def environment(self) -> dict[str, str]:
        """Return the variables without a database."""
        found = super().environment()
        del found["CAFE_DATABASE_URL"]
        return found

    @property
    def shop(self) -> Shop:
        """Return the shop at this front."""
        return self.shop_named(None)

    def shop_named(self, name: str | None) -> Shop:
        """Return one of several shops at this front, by path."""
        assert self.process is not None
        path = "" if name is None else f"/shops/{name}"
        client, worker = (f"http://{HOST}:{port}{path}" for port in self.ports)
        return Shop(client, worker, self.process, self.log, self.folder)
