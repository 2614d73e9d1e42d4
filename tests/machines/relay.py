"""A relay of TCP connections that a test can cut: the network between two machines.

Rule: a cut link loses no data and closes no connection. Both ends keep their sockets; what is sent
waits until the link is healed, as TCP would retransmit it.
"""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread

Target = tuple[str, int] | Path
"""A host and a port, or a Unix socket."""
PIECE = 65_536


class Relay:
    """Forwards connections to `port` on 127.0.0.1, in threads; `running_relay` stops it."""

    def __init__(self, target: Target) -> None:
        """Listen, and connect to `target` for each incoming connection."""
        self._target = target
        self._healed = Event()
        self._healed.set()
        self._stopped = False
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Stop forwarding; new connections are accepted, and get no answer."""
        self._healed.clear()

    def heal(self) -> None:
        """Forward again, including what arrived meanwhile."""
        self._healed.set()

    def close_all(self) -> None:
        """Close all connections at both ends; new ones are accepted."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def stop(self) -> None:
        """Close everything, and accept nothing further."""
        self._stopped = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_all()
        self.heal()  # the threads end

    def _accept(self) -> None:
        while not self._stopped:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._healed.wait()
        try:
            far = self._open()
        except OSError:
            near.close()
            return
        with self._lock:
            self._sockets += [near, far]
        if self._stopped:
            self.close_all()
        for source, sink in ((near, far), (far, near)):
            Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _open(self) -> socket.socket:
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target)
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            far.connect(str(self._target))
        except OSError:
            far.close()
            raise
        return far

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self._healed.wait()
                sink.sendall(piece)
        self._healed.wait()  # an end is not seen through a cut link, either
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def running_relay(target: Target) -> Generator[Relay]:
    """Run a relay to `target`."""
    relay = Relay(target)
    try:
        yield relay
    finally:
        relay.stop()
