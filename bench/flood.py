"""Regulars under a flood: their orders per second while one address attacks.

The attacker takes a processor's time for himself wherever he floods; so the peer is the same shop
while the same attacker floods a port where nobody listens. Every round has a fresh shop, so that it
begins with an attacker who is not banned yet.
"""

from __future__ import annotations

import socket
from statistics import median

from bench.processes import CAFE, load, program, result_of, serving
from bench.report import Row, Scale, progress

LEAST = 0.8


def measure(scale: Scale) -> list[Row]:
    """Measure both in turn, round after round."""
    attacked: list[float] = []
    spared: list[float] = []
    for number in range(scale.rounds):
        for rates, here in ((attacked, True), (spared, False)):
            rates.append(regulars_rate(scale, here=here))
            target = "the shop" if here else "a dead port"
            progress(f"flood, round {number + 1}: {rates[-1]:.0f}/s, flooding {target}")
    ours, peers = median(attacked), median(spared)
    return [
        Row(
            "regulars' orders while 64 connections flood",
            f"{ours:.0f}/s",
            f"{peers:.0f}/s",
            "the café, flood at a dead port",
            ours / peers,
            f"at least {LEAST}",
            ours / peers >= LEAST,
        )
    ]


def regulars_rate(scale: Scale, *, here: bool) -> float:
    """Give the regulars' orders per second from the moment that the attack begins."""
    with serving(CAFE) as server, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        port = server.client_port if here else nobody.getsockname()[1]
        attack = ("bench.attacker", str(port), str(scale.seconds))
        plan = {"warm": 1.0, "seconds": scale.seconds, "strangers": True}
        with program(*attack, most_seconds=60) as attacker, load(server, **plan) as regulars:
            while regulars.read() != "warm":
                pass
            attacker.go_on()
            progress(f"the attacker got {attacker.read()}")
            return result_of(regulars).per_second
