"""Boards: connections that follow `GET /events`, and drop what they read.

Runs as a process of its own: `python -m bench.watchers PORT BOARDS`. It prints `open` once each
board has got its first state, follows until it reads a line, and then prints `Watched` as JSON. It
is cheap: one thread on epoll, and nothing is parsed; browsers would parse it on other machines.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from dataclasses import asdict, dataclass
from typing import Final

from bench.load import say
from bench.wire import request
from cafe.server.descriptors import raise_limit

FOLLOW: Final = request("GET", "/events")
FIRST: Final = b"event: board"
PIECE: Final = 2**16


@dataclass(frozen=True, slots=True)
class Watched:
    """What the boards have received since they were open."""

    pieces: int
    """Of all boards together."""
    least: int
    """Of the board that got the fewest."""


def address_of(number: int) -> str:
    """Return a loopback address that no other board has."""
    return f"127.3.{number // 250}.{number % 250 + 1}"


def connect(port: int, number: int) -> socket.socket:
    """Open a board, and return its socket once it has got its first state."""
    opened = socket.create_connection(("127.0.0.1", port), 30, (address_of(number), 0))
    opened.sendall(FOLLOW)
    got = b""
    while FIRST not in got:
        piece = opened.recv(PIECE)
        if not piece:
            raise OSError(f"board {number} was closed: {got[:200]!r}")
        got += piece
    opened.setblocking(False)
    return opened


def main() -> None:
    """Follow until a line is read, and print the counts; exit with code 1 if a board is closed."""
    raise_limit()
    port, boards = map(int, sys.argv[1:])
    try:
        opened = {one.fileno(): one for one in (connect(port, n) for n in range(boards))}
    except OSError as error:
        sys.exit(f"{error}")
    say("open")
    print(json.dumps(asdict(follow(opened))))


def follow(opened: dict[int, socket.socket]) -> Watched:
    """Read and drop data until a line is read."""
    pieces = dict.fromkeys(opened, 0)
    buffer, stdin = bytearray(PIECE), sys.stdin.fileno()
    with select.epoll() as epoll:
        epoll.register(stdin, select.EPOLLIN)
        for descriptor in opened:
            epoll.register(descriptor, select.EPOLLIN)
        while True:
            for descriptor, _ in epoll.poll():
                if descriptor == stdin:
                    return Watched(sum(pieces.values()), min(pieces.values()))
                if not opened[descriptor].recv_into(buffer):
                    sys.exit("a board was closed")
                pieces[descriptor] += 1


if __name__ == "__main__":
    main()
