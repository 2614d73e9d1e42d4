"""Processes of the café whose imports are done: each is forked from one that has imported all.

Rule: only the imports are saved, which take two seconds of a processor. A process runs `main` as
`python -m cafe` does, with its own environment, folder, streams, session and exit code, and ends as
any other. What tests show of the imports themselves, of signals during them and of the command
line starts `python -m cafe` itself; so does the shop that most tests share. What is to be another
in each process may not be made by an import: test_warm.py looks for it.

The server that forks has one thread and is the parent of what it forks. It is asked over a socket,
with the streams as file descriptors, and writes how a process ended to a pipe of that process.
Each process that runs tests has a server of its own, which ends with it: its socket is closed then.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import IO, Any
from weakref import finalize

STATUS = struct.Struct("=i")
PID = struct.Struct("=i")
MOST_BYTES = 1 << 20
IMPORTED = ("cafe.cli.opening", "cafe.shop.house", "cafe.shop.front", "alembic.command", "psycopg")
"""What a shop, a house and a front import before or after they have read their settings."""
STREAMS = 3
"""Standard output, standard error, and the pipe for how the process ended."""


class WarmProcess:
    """A process that was forked; used as one of `subprocess.Popen`."""

    def __init__(self, pid: int, ended: int, stdout: IO[bytes] | None) -> None:
        """Read how it ended from the pipe `ended`."""
        self.pid = pid
        self.returncode: int | None = None
        self.stdout = stdout
        self._ended = ended
        self._reading = Lock()
        finalize(self, os.close, ended)  # not before: another thread may wait for it

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired after so many seconds."""
        poll = select.poll()
        poll.register(self._ended, select.POLLIN)
        if not poll.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("cafe", timeout or 0)
        with self._reading:
            if self.returncode is None:
                code: int = STATUS.unpack(os.read(self._ended, STATUS.size))[0]
                self.returncode = code
                if self.stdout is not None:
                    self.stdout.close()
            return self.returncode

    def send_signal(self, signum: int) -> None:
        """Send a signal; does nothing if the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[bytes] | WarmProcess


class _Server:
    """The server, as it is asked."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner = os.getpid()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={name: os.environ[name] for name in os.environ if not name.startswith("CAFE_")},
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )
        self._loaded = _of_the_loader(os.environ)
        atexit.register(self.close)

    def close(self) -> None:
        """End the server, which has nothing to clean up."""
        if os.getpid() == self._owner:
            self._socket.close()
            self._process.wait()

    def fork(self, asked: Mapping[str, Any], streams: Sequence[int]) -> int:
        """Return the process id of a new process."""
        wanted = _of_the_loader(asked["env"])
        assert wanted == self._loaded, f"{wanted} matter to a process that is started only"
        with self._lock:
            body = json.dumps(asked).encode()
            assert len(body) < MOST_BYTES
            socket.send_fds(self._socket, [struct.pack("=I", len(body))], streams)
            self._socket.sendall(body)
            answer = self._socket.recv(PID.size)
        assert answer, "the server of warm processes has ended"
        (pid,) = PID.unpack(answer)
        return int(pid)


def _of_the_loader(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the loader and Python read once, when a process is started."""
    return {name: value for name, value in env.items() if name.startswith(("LD_", "PYTHON"))}


_servers: list[_Server] = []


def start(
    arguments: Sequence[str], env: Mapping[str, str], stderr: int, stdout: int | None = None
) -> WarmProcess:
    """Run `cafe` with these arguments, in a session of its own; without `stdout` it is a pipe."""
    if not _servers:
        _servers.append(_Server())
    asked = {"arguments": list(arguments), "env": dict(env), "cwd": str(Path.cwd())}
    ended, reports = os.pipe()
    try:
        if stdout is not None:
            pid = _servers[0].fork(asked, [stdout, stderr, reports])
            return WarmProcess(pid, ended, None)
        read, write = os.pipe()
        try:
            pid = _servers[0].fork(asked, [write, stderr, reports])
        finally:
            os.close(write)
        return WarmProcess(pid, ended, os.fdopen(read, "rb", buffering=0))
    finally:
        os.close(reports)


def run(
    arguments: Sequence[str], env: Mapping[str, str], timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of `cafe` to its end, and return what it has printed.

    Raises subprocess.TimeoutExpired after so many seconds.
    """
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as printed:
        process = start(arguments, env, errors.fileno(), stdout=printed.fileno())
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts: list[str] = []
        for file in (printed, errors):
            file.seek(0)
            texts.append(file.read().decode())
        return subprocess.CompletedProcess(["cafe", *arguments], code, *texts)


def _import_all() -> None:
    """Import what they do, and leave out what they leave out."""
    from cafe.cli.commands import app_for  # noqa: PLC0415 - in the server only
    from cafe.cli.serve import opening  # noqa: PLC0415

    app_for(["serve"])
    with opening():
        for name in IMPORTED:
            import_module(name)


def _serve(asks: socket.socket) -> dict[str, Any] | None:
    """Fork what is asked for; return in each new process what it is to run, None at the end."""
    running: dict[int, tuple[int, int]] = {}
    while True:
        for ready in select.select([asks.fileno(), *running], [], [])[0]:
            if ready in running:
                pid, reports = running.pop(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with suppress(BrokenPipeError):
                    os.write(reports, STATUS.pack(code))
                os.close(reports)
                os.close(ready)
                continue
            head, streams, _flags, _address = socket.recv_fds(asks, 4, STREAMS)
            if not head:
                return None
            (size,) = struct.unpack("=I", head)
            body = asks.recv(size, socket.MSG_WAITALL)
            pid = os.fork()
            if pid == 0:
                _take(streams)
                asked: dict[str, Any] = json.loads(body)
                return asked
            os.close(streams[0])
            os.close(streams[1])
            running[os.pidfd_open(pid)] = pid, streams[2]
            asks.sendall(PID.pack(pid))


def _take(streams: Sequence[int]) -> None:
    """Use the streams that were given, and no other file of the server."""
    os.setsid()
    os.dup2(streams[0], 1)
    os.dup2(streams[1], 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    # As Python makes them at its start: whether they can seek is found out once.
    sys.stdout = sys.__stdout__ = open(  # type: ignore[misc] # noqa: SIM115 - to the end
        1, "w", encoding="utf-8", errors="strict", closefd=False
    )
    sys.stderr = sys.__stderr__ = open(  # type: ignore[misc] # noqa: SIM115 - to the end
        2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _become(asked: Mapping[str, Any]) -> None:
    """Be a process that was started with these arguments, in this folder and environment."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    random.seed()
    import cafe.__main__  # noqa: PLC0415

    sys.argv = [cafe.__main__.__file__, *asked["arguments"]]


def _run_server() -> None:
    _import_all()
    gc.collect()
    gc.freeze()  # else a collection in a fork copies the pages of all that was imported
    asks = socket.socket(fileno=int(sys.argv[1]))
    if (asked := _serve(asks)) is None:
        return
    asks.detach()
    _become(asked)
    from cafe.cli import main  # noqa: PLC0415

    main()


if __name__ == "__main__":
    _run_server()
