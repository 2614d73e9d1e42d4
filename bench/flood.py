"""Regulars under a flood: their orders per second while one address attacks.

The attacker takes processor time wherever it floods. So the peer is the same shop while the same
attacker floods a port on which nothing listens: each connect is refused at once, and the attacker
spins. Once the shop has banned the attacker, the kernel drops its packets. An attacker that then
waited for its own kernel's retries would leave the machine to the regulars, and flatter the shop.
So it abandons an attempt after some milliseconds and makes the next, on as many sockets at once as
keep it busy. The processor seconds that it used are printed for both: if they are alike, the attack
was the same, and the remaining difference is the shop's cost.

That includes the beginning, which costs the most: every round has a fresh shop, which must answer
hundreds of requests before it may impose a ban. Shop and dead port are measured in turn, and each
round begins with the one that came second in the last.
"""

from __future__ import annotations

import socket
from statistics import median

from bench.processes import CAFE, load, processor_seconds, program, result_of, serving
from bench.report import Row, Scale, at_least, progress

LEAST = 0.95


def measure(scale: Scale) -> list[Row]:
    """Measure both in turn, round after round."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    for number in range(scale.rounds):
        for here in (True, False) if number % 2 == 0 else (False, True):
            rates[here].append(regulars_rate(scale, here=here))
            target = "the shop" if here else "a dead port"
            progress(f"flood, round {number + 1}: {rates[here][-1]:.0f}/s, flooding {target}")
    ours, peers = median(rates[True]), median(rates[False])
    return [
        Row(
            "regulars' orders while 64 connections flood",
            f"{ours:.0f}/s",
            f"{peers:.0f}/s",
            "the café, flood at a dead port",
            ours / peers,
            *at_least(LEAST, ours / peers),
        )
    ]


def regulars_rate(scale: Scale, *, here: bool) -> float:
    """Return the regulars' orders per second from the moment that the attack begins."""
    seconds = 2 * scale.seconds
    with serving(CAFE) as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refused
        port = server.client_port if here else unused.getsockname()[1]
        attack = ("bench.attacker", str(port), str(seconds))
        plan = {"warm": 1.0, "seconds": seconds, "strangers": True}
        with program(*attack, most_seconds=60) as attacker, load(server, **plan) as regulars:
            while regulars.read() != "warm":
                pass
            before = processor_seconds(attacker.process.pid)
            attacker.go_on()
            got = attacker.read()
            spent = processor_seconds(attacker.process.pid) - before
            progress(f"the attacker got {got} for {spent:.1f} s of processor")
            return result_of(regulars).per_second
