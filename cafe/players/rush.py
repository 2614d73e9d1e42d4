"""`cafe rush`: the whole scenario in one command, first without and then with an attacker.

Rule: both phases are the same but for the attacker: a fresh shop, the same groups, the same
brewing times. So whatever differs between the two, he did.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import trio
import typer
from rich.console import Group

from cafe.cli.board import plain_console, shown
from cafe.cli.interrupts import INTERRUPTED
from cafe.cli.options import AMERICANO, GROUP, Brew, Groups, Span, Speed, dice
from cafe.operations.report import comparison, histograms
from cafe.players import attacker
from cafe.players.attacker import Attack
from cafe.players.barista import Shift
from cafe.players.baristas import Staff
from cafe.players.client import Door, PlayerError, tcp
from cafe.players.customers import Crowd, split_into_groups
from cafe.players.shop_process import open_shop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cafe.players.shop_process import Shop

_REGULARS = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
_ATTACKER = "127.0.0.66"
_BETWEEN_GROUPS = Span(1, 2)
_ATTACK_BEGINS = 0.5  # the first regulars wait, the second group is still on its way
_ATTACK_SECONDS = 8.0


class NoAddressError(PlayerError):
    """A loopback address that the scenario needs is not this machine's."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} cannot be bound here; where loopback has only 127.0.0.1, as on macOS, "
            f"add it first: sudo ifconfig lo0 alias {address}"
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played in both phases."""

    regulars: int
    groups: Span
    baristas: int
    shift: Shift
    attack: int
    """How many orders the attacker sends at once."""
    seed: int

    def phase(self, title: str, shop: Shop, door: Door = tcp) -> Phase:
        """Gather the players of one phase before `shop`; the same ones each time."""
        rng = dice(self.seed, "regulars")
        groups = split_into_groups(self.regulars, self.groups, rng)
        crowd = Crowd(groups, _BETWEEN_GROUPS, shop.client, rng, _REGULARS, door)
        return Phase(title, crowd, Staff(self.baristas, shop.worker, self.shift, door=door))


@dataclass(slots=True, eq=False)
class Phase:
    """One phase: the players in it, the board that shows them, and what came of it."""

    title: str
    crowd: Crowd
    staff: Staff
    attack: Attack | None = None

    async def play(self, attack: Callable[[], Awaitable[Attack]] | None = None) -> None:
        """Return when every regular has left, and the attacker, if there is one, has given up.

        Baristas who give up, and Ctrl-C, end it early: see `check_ended`.
        """
        async with shown(self), trio.open_nursery() as nursery:
            nursery.start_soon(self._work, nursery.cancel_scope)
            async with trio.open_nursery() as visitors:
                visitors.start_soon(self.crowd.come)
                if attack is not None:
                    visitors.start_soon(self._suffer, attack)
            nursery.cancel_scope.cancel()

    def check_ended(self) -> None:
        """Raise PlayerError when the baristas gave up, typer.Exit when Ctrl-C ended it."""
        if self.staff.trouble is not None:
            raise self.staff.trouble
        if not self.crowd.all_left:
            raise typer.Exit(INTERRUPTED)

    async def _work(self, scope: trio.CancelScope) -> None:
        await self.staff.work()
        scope.cancel()  # they all gave up; without them the regulars would wait for ever

    async def _suffer(self, attack: Callable[[], Awaitable[Attack]]) -> None:
        await trio.sleep(_ATTACK_BEGINS)
        self.attack = await attack()

    def rows(self) -> Group:
        """Draw the customers above the baristas."""
        return Group(self.title, self.crowd.rows(), self.staff.rows())

    def line(self) -> str:
        """Say it in one line."""
        return f"{self.title}: {self.crowd.line()}; {self.staff.line()}"


async def _attack(url: str, orders: int) -> Attack:
    """Let the attacker loose in a process of his own, so that he takes no time of the regulars."""
    # By its file: as a module of this package it would first import the whole shop.
    command = [sys.executable, "-P", attacker.__file__, url, "--from", _ATTACKER]
    bounds = ["--orders", str(orders), "--seconds", str(_ATTACK_SECONDS)]
    done = await trio.run_process([*command, *bounds], capture_stdout=True)
    return Attack.parse(done.stdout.decode())


async def _play_both(scenario: Scenario) -> tuple[Phase, Phase]:
    """Play both phases, each on a shop of its own: bans and queues begin anew."""
    async with open_shop() as shop:
        calm = scenario.phase("without an attacker", shop)
        await calm.play()
    calm.check_ended()
    async with open_shop() as shop:
        attacked = scenario.phase("with an attacker", shop)
        await attacked.play(partial(_attack, shop.client, scenario.attack))
    attacked.check_ended()
    return calm, attacked


def require_address(address: str) -> None:
    """Return when a socket can come from `address`; raise NoAddressError otherwise."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            raise NoAddressError(address) from None


def _tell(scenario: Scenario, calm: Phase, attacked: Phase, speed: float) -> None:
    console = plain_console()
    phases = (calm, attacked)
    groups = " and ".join(str(size) for size in calm.crowd.groups)
    console.print(
        f"{scenario.regulars} regulars in groups of {groups}, {scenario.baristas} baristas, "
        f"{speed:g} times as fast as life"
    )
    console.print(comparison({phase.title: phase.crowd.summary() for phase in phases}))
    if attacked.attack is not None:
        console.print(f"The attacker, {_ATTACKER}, ordered {attacked.attack.orders} at once:")
        console.print(attacked.attack.text())
    print(histograms({f"waits in seconds, {p.title}": p.crowd.summary().served for p in phases}))


def rush(
    *,
    regulars: Annotated[int, typer.Option(min=1, help="How many regulars, in all groups.")] = 300,
    groups: Groups = GROUP,
    baristas: Annotated[int, typer.Option(min=1, help="How many baristas.")] = 10,
    brew: Brew = AMERICANO,
    speed: Speed = 80.0,
    attack: Annotated[
        int, typer.Option(min=1, max=20_000, help="How many orders the attacker sends at once.")
    ] = 5_000,
    seed: Annotated[int, typer.Option(help="Draws the groups and the brewing times.")] = 1,
) -> None:
    """Play the whole scenario on shops of its own: first without, then with an attacker.

    Starts a shop on free ports twice, lets baristas and groups of regulars in, and in the second
    phase an attacker from another loopback address. Prints what each side got. The exit code is 0
    only when every regular got a 200 in both phases. Takes under a minute.
    """
    for address in (*_REGULARS, _ATTACKER):
        require_address(address)
    shift = Shift(brew / speed, seed=seed)
    scenario = Scenario(regulars, groups, baristas, shift, attack, seed)
    calm, attacked = trio.run(_play_both, scenario)
    _tell(scenario, calm, attacked, speed)
    if not (calm.crowd.summary().all_served and attacked.crowd.summary().all_served):
        raise typer.Exit(1)
