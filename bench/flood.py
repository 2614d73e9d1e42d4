"""Regulars under a flood: their orders per second while one address attacks.

The attacker takes a processor's time for himself wherever he floods; so the peer is the same shop
while the same attacker floods a port where nobody listens. There each of his connects is refused at
once, and he spins. The shop, once it has cut him off, has the kernel drop his packets, and if he
then waited for his own kernel's retries, he would leave the machine to the regulars and flatter us.
So he does not: he gives an attempt up after some milliseconds and makes the next, on as many
sockets at once as keep him busy. Seconds of processor that he used are printed for both, so that
anybody can see whether it was one attacker; where they are alike, what is left is the shop's cost.

That includes his beginning, which costs the most: every round has a fresh shop, which must answer
him hundreds of times before it may ban him. Who comes first, shop or dead port, changes with every
round.
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
    """Give the regulars' orders per second from the moment that the attack begins."""
    seconds = 2 * scale.seconds
    with serving(CAFE) as server, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        port = server.client_port if here else nobody.getsockname()[1]
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
