"""The attacker of `cafe rush`: thousands of orders at once from one address, each on a connection.

Rule: bounded in count and in time, and as cheap for this machine as he can be, so that what the
regulars feel is the shop under attack and not the attacker's own work. So he runs in a process of
his own, made of this file and the standard library alone, and prints an Attack as JSON; a trio task
for each order costs four times as much.
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
_BURST = 50  # orders begun between two looks at what has been answered
_MOST_BYTES = 65_536
_SILENCE_SECONDS = 2.5  # a lost SYN is sent again after one


@dataclass(frozen=True, slots=True)
class Attack:
    """What an attacker got; times in seconds since he began, None for what never happened."""

    orders: int
    answers: dict[str, int]
    """Answers by status and, for a refusal, its limit: `200`, `429 waiting`."""
    lost: int
    """Connections that the shop refused, closed or reset instead of answering."""
    unanswered: int
    """Orders that were still connecting or waiting when he gave up.

    The packets of somebody who is banned are dropped: his connections are never established, or
    were for him and not for the shop.
    """
    first_cut: float | None
    """When he first lost a connection, or was told that he is banned."""
    last_answer: float | None

    @classmethod
    def parse(cls, text: str) -> Attack:
        """Read what the attacker's process printed."""
        return cls(**json.loads(text))

    def text(self) -> str:
        """Say what he got, a line for each kind."""
        lines = [f"{count:5} x {_seen(answer)}" for answer, count in sorted(self.answers.items())]
        lines.append(f"{self.lost:5} x connection refused or closed")
        lines.append(f"{self.unanswered:5} x no sign of life from the shop until he gave up")
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


def _seen(answer: str) -> str:
    """Give an answer's name on one line and without control characters, whatever it holds."""
    return answer if answer.isprintable() else ascii(answer)


@dataclass(slots=True)
class Tally:
    """Counts what became of the orders, in the order in which they ended."""

    answers: Counter[str] = field(default_factory=Counter[str])
    lost: int = 0
    first_cut: float | None = None
    last_answer: float | None = None

    def add(self, response: bytes, now: float) -> None:
        """Count an order that ended with this response, empty when the connection was lost."""
        answer = parse_answer(response)
        if answer is None:
            self.lost += 1
        else:
            self.answers[answer] += 1
            self.last_answer = now
        if self.first_cut is None and (answer is None or "banned" in answer):
            self.first_cut = now

    def result(self, orders: int) -> Attack:
        """Sum up an attack of so many orders; those not counted got no answer."""
        unanswered = orders - self.lost - self.answers.total()
        return Attack(
            orders, dict(self.answers), self.lost, unanswered, self.first_cut, self.last_answer
        )


def parse_answer(response: bytes) -> str | None:
    """Name an HTTP response by its status and its problem's limit; None where there is none."""
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
        """Order `orders` times, `at_once` of them open at most; give up after `seconds`.

        Sooner when he has been cut off and gets no sign of life any more.
        """
        to_begin = orders
        while (rest := self._start + seconds - time.monotonic()) > 0:
            burst = min(to_begin, at_once - len(self._open), _BURST)
            for _ in range(burst):
                self._begin()
            to_begin -= burst
            if not self._open:
                break
            if self._tally.first_cut is not None:
                rest = min(rest, _SILENCE_SECONDS)
            happened = self._selector.select(0 if burst else rest)
            for key, _ in happened:
                self._go_on(key.data)
            if not (burst or happened):
                break
        for order in self._open:
            order.sock.close()
        return self._tally.result(orders)

    def _begin(self) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind(self._source)
        sock.connect_ex(self._target)  # the first send tells how it went
        order = _Order(sock)
        self._open.add(order)
        self._selector.register(sock, selectors.EVENT_WRITE, order)

    def _go_on(self, order: _Order) -> None:
        """Send the order once its connection stands, then read to the end and count it."""
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
    """Attack the shop at a URL, and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url")
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    asked = parser.parse_args()
    url: str = asked.url  # a namespace tells no types
    where = urlsplit(url)
    at_once = max(1, _descriptors() - _SPARE_DESCRIPTORS)
    attacker = Attacker(where.hostname or "", where.port or 80, asked.source)
    result = attacker.attack(asked.orders, seconds=asked.seconds, at_once=at_once)
    print(json.dumps(dataclasses.asdict(result)))


if __name__ == "__main__":
    main()
