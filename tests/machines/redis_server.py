"""A Redis server of the tests' own, from Debian's package, on a free port of the loopback address.

Rule: it stores nothing on disk, so a restarted server is empty, and it is reached at the same URL
as long as the test runs. Valkey's server is used if there is no Redis.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import pytest

PROGRAMS: Final = ("redis-server", "valkey-server")
HOST: Final = "127.0.0.1"
LONGEST_WAIT: Final = 20.0
"""Seconds until a server that does not answer counts as broken."""
PAUSE: Final = 0.01
PORTS: Final = range(20_000, 32_000)


def program() -> str | None:
    """Return the path of the server's program; None if there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def why_not() -> str | None:
    """Return why no server can be started here; None if one can."""
    if program() is None:
        return missing("no Redis server here (on Debian: apt install redis-server)")
    return None


def missing(reason: str) -> str:
    """Return the reason, for a test to be skipped; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"In CI nothing is skipped: {reason}")
    return reason


class RedisServer:
    """Started, stopped, killed, frozen and thawed at will; always at the same port."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        """Take `options` as the program does, as `"--maxmemory", "8mb"`."""
        self.folder = folder
        self.port = port or free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start an empty server, and return when it answers.

        Raises RuntimeError with what the server wrote if it ends, or does not answer.
        """
        assert self._process is None
        found = program()
        assert found is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [found, *self._settings()],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + LONGEST_WAIT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(PAUSE)

    def stop(self) -> None:
        """Stop the server as an administrator does; nothing happens if it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as the kernel does when memory is short."""
        self._end(signal.SIGKILL)

    def restart_empty(self) -> None:
        """Kill the server and start it again, without anything that it held."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop the process's clock: the kernel still accepts connections, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume a frozen server, with what arrived meanwhile."""
        os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Generator[None]:
        """Freeze the server inside of the block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def command(self, *words: str | int) -> str:
        """Send one command on a connection of its own, and give the reply's lines as they came.

        Meant for looking at a server (`INFO`, `DBSIZE`, `DEBUG`) without the client under test.
        Raises OSError if the server does not answer.
        """
        return self.raw_command(*(str(word).encode() for word in words)).decode()

    def raw_command(self, *words: bytes) -> bytes:
        """Send one command as `command` does, and give the reply as it came."""
        request = b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in words
        )
        with socket.create_connection((HOST, self.port), timeout=LONGEST_WAIT) as connection:
            connection.sendall(request + b"*1\r\n$4\r\nQUIT\r\n")
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer.removesuffix(b"+OK\r\n")

    def _settings(self) -> list[str]:
        return [
            *("--bind", HOST),
            *("--port", str(self.port)),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--dir", str(self.folder)),
            *("--enable-debug-command", "yes"),
            *self._options,
        ]

    def _answers(self) -> bool:
        try:
            return self.command("PING").startswith("+PONG")
        except OSError:
            return False

    def _end(self, signum: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.send_signal(signal.SIGCONT)  # a frozen process ends by SIGKILL only
            self._process.wait(LONGEST_WAIT)
            self._process = None


def free_port() -> int:
    """Return a port of the loopback address that is free now.

    It is below those that the kernel gives to clients: a client that tries to reach a server that
    is down could be given the server's own port, and so be connected to itself.
    """
    while True:
        port = secrets.choice(PORTS)
        with suppress(OSError), socket.socket() as listener:
            listener.bind((HOST, port))
            return port


@contextmanager
def running_redis(*options: str) -> Generator[RedisServer]:
    """Run a server in a temporary folder, and remove both afterwards."""
    folder = Path(mkdtemp(prefix="cafe-redis-"))
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)
