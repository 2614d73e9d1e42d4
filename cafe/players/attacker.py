"""The attacker of `cafe rush`: thousands of orders at once from one address, each on a connection.

Rule: bounded in count and in time, and as cheap for this machine as possible, so that the regulars
measure the shop under attack and not the attacker's own work. So it runs in its own process, which
imports only the standard library, and prints an Attack as JSON. A trio task for each order would
cost four times as much.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import selectors
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_SPARE_DESCRIPTORS = 64
_BURST = 50  # orders that are sent between two calls of select
_MOST_BYTES = 65_536
_SILENCE_SECONDS = 2.5  # a lost SYN is retransmitted after one second


@dataclass(frozen=True, slots=True)
class Attack:
    """The result of an attack; times in seconds since its start, None if it never happened."""

    orders: int
    answers: dict[str, int]
    """Answers by status and, for a refusal, its limit: `200`, `429 waiting`."""
    lost: int
    """Connections that the shop refused, closed or reset instead of answering."""
    unanswered: int
    """Orders that were still connecting or waiting when it gave up.

    The kernel drops the packets of a banned address: its connections are never established, or
    only on the attacker's side.
    """
    first_cut: float | None
    """When it first lost a connection, or got a 429 of a ban."""
    last_answer: float | None

    @classmethod
    def parse(cls, text: str) -> Attack:
        """Parse the output of the attacker's process."""
        return cls(**json.loads(text))

    def text(self) -> str:
        """Return a line for each kind of outcome."""
        lines = [
            f"{count:5} x {_escaped(answer)}" for answer, count in sorted(self.answers.items())
        ]
        lines.append(f"{self.lost:5} x connection refused or closed")
        lines.append(f"{self.unanswered:5} x no answer until the attacker gave up")
        lines.append(
            "never cut off"
            if self.first_cut is None
            else f"first cut off after {self.first_cut:.2f} s"
        )
        lines.append(
            "no answer at all"
            if self.last_answer is None
            else f"last answer after {self.last_answer:.2f} s, nothing since"
        )
        return "\n".join(lines)


def _escaped(answer: str) -> str:
    """Return an answer's name with control characters escaped."""
    return answer if answer.isprintable() else ascii(answer)


@dataclass(slots=True)
class Tally:
    """Counts the outcomes of the orders, as they end."""

    answers: Counter[str] = field(default_factory=Counter[str])
    lost: int = 0
    first_cut: float | None = None
    last_answer: float | None = None

    def add(self, response: bytes, now: float) -> None:
        """Count an order that ended with this response, empty if the connection was lost."""
        answer = parse_answer(response)
        if answer is None:
            self.lost += 1
        else:
            self.answers[answer] += 1
            self.last_answer = now
        if self.first_cut is None and (answer is None or "banned" in answer):
            self.first_cut = now

    def result(self, orders: int) -> Attack:
        """Return the result of an attack of `orders` orders; those not counted got no answer."""
        unanswered = orders - self.lost - self.answers.total()
        return Attack(
            orders, dict(self.answers), self.lost, unanswered, self.first_cut, self.last_answer
        )


def parse_answer(response: bytes) -> str | None:
    """Return a response's status and its problem's limit; None if it is not a response."""
    head, _, body = response.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if len(words) < len(("version", "status")):
        return None
    status = words[1].decode("ascii", "replace")
    try:
        return f"{status} {json.loads(body)['limit']}"
    except (ValueError, KeyError, TypeError):
        return status


@dataclass(slots=True, eq=False)
class _Order:
    sock: socket.socket
    sent: bool = False
    received: bytes = b""


class Attacker:
    """A flood of orders over non-blocking sockets, in a single loop; use it once."""

    def __init__(self, host: str, port: int, source: str) -> None:
        self._target = (host, port)
        self._source = (source, 0)
        self._request = (
            f"POST /order/ HTTP/1.1\r\nHost: {host}:{port}\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n"
        ).encode()
        self._selector = selectors.DefaultSelector()
        self._open: set[_Order] = set()
        self._tally = Tally()
        self._start = time.monotonic()

    def attack(self, orders: int, *, seconds: float, at_once: int) -> Attack:
        """Send `orders` orders, at most `at_once` open at a time; give up after `seconds`.

        After a first cut it gives up sooner: at the first pause of 2.5 seconds without an event.
        """
        to_send = orders
        while (rest := self._start + seconds - time.monotonic()) > 0:
            burst = min(to_send, at_once - len(self._open), _BURST)
            for _ in range(burst):
                self._open_order()
            to_send -= burst
            if not self._open:
                break
            if self._tally.first_cut is not None:
                rest = min(rest, _SILENCE_SECONDS)
            events = self._selector.select(0 if burst else rest)
            for key, _ in events:
                self._continue_order(key.data)
            if not (burst or events):
                break
        for order in self._open:
            order.sock.close()
        return self._tally.result(orders)

    def _open_order(self) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind(self._source)
        sock.connect_ex(self._target)  # an error is raised by the first send
        order = _Order(sock)
        self._open.add(order)
        self._selector.register(sock, selectors.EVENT_WRITE, order)

    def _continue_order(self, order: _Order) -> None:
        """Send the order when it is connected, then read to the end and count it."""
        try:
            if not order.sent:
                order.sock.send(self._request)
                order.sent = True
                self._selector.modify(order.sock, selectors.EVENT_READ, order)
                return
            chunk = order.sock.recv(_MOST_BYTES)
        except OSError:
            chunk = b""
        order.received += chunk
        if not chunk:
            self._selector.unregister(order.sock)
            order.sock.close()
            self._open.discard(order)
            self._tally.add(order.received, time.monotonic() - self._start)


def _descriptors() -> int:
    """Raise the soft limit of open files to the hard one; return how many may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def main() -> None:
    """Attack the shop at a URL, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url")
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    url: str = options.url  # a namespace has no types
    where = urlsplit(url)
    at_once = max(1, _descriptors() - _SPARE_DESCRIPTORS)
    attacker = Attacker(where.hostname or "", where.port or 80, options.source)
    result = attacker.attack(options.orders, seconds=options.seconds, at_once=at_once)
    print(json.dumps(dataclasses.asdict(result)))


if __name__ == "__main__":
    main()
