"""`cafe rush`: the whole scenario in one command, first without and then with an attacker.

Rule: the phases differ only in the attacker: each has a new shop in a subprocess, the same groups
and the same brewing times. However a phase ends, its shop gets SIGTERM, and is waited for.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin

import trio
import typer
from rich.console import Group

from cafe.cli import INTERRUPTED
from cafe.cli.streams import print_error
from cafe.operations.charts import histograms
from cafe.players import attacker
from cafe.players.attacker import Attack
from cafe.players.baristas import Shift, Staff
from cafe.players.board import plain_console, shown
from cafe.players.client import OpenTransport, PlayerError, open_tcp
from cafe.players.customers import Crowd, comparison, split_into_groups
from cafe.players.options import Span, seeded_random

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

_REGULARS = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
_ATTACKER = "127.0.0.66"
_BETWEEN_GROUPS = Span(1, 2)
_ATTACK_BEGINS = 0.5  # seconds: the first group waits, the second is still to come
_ATTACK_SECONDS = 8.0
_START_SECONDS = 20.0
_STOP_SECONDS = 15.0
_FREE_PORTS = ("--client-bind", "127.0.0.1:0", "--worker-bind", "127.0.0.1:0")
_COMMAND = (sys.executable, "-m", "cafe", "serve", *_FREE_PORTS, "--log-format", "json")
_ADDRESS = re.compile(r"\b(client|worker) (https?://\S+?)/docs\b")


class NoAddressError(PlayerError):
    """This machine cannot bind a loopback address that the scenario needs."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} cannot be bound here; where loopback has only 127.0.0.1, as on macOS, "
            f"add it first: sudo ifconfig lo0 alias {address}"
        )


class ShopProcessError(PlayerError):
    """The shop did not start, or did not exit with code 0."""

    def __init__(self, what: str, code: int | None, last_line: str) -> None:
        super().__init__(f"the shop {what} (exit code {code}): {last_line}")
        self.code = code


@dataclass(frozen=True, slots=True)
class ShopAddresses:
    """The URLs of a running shop's two ports."""

    client: str
    worker: str


def parse_addresses(printed: str) -> ShopAddresses | None:
    """Parse the addresses that `cafe serve` prints; return None until both are there."""
    found = dict(_ADDRESS.findall(printed))
    return ShopAddresses(**found) if len(found) == len(("client", "worker")) else None


@asynccontextmanager
async def open_shop() -> AsyncGenerator[ShopAddresses, None]:
    """Start a shop and yield its addresses; raise ShopProcessError if it fails."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = await trio.lowlevel.open_process(
            list(_COMMAND),
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C is for the players. The shop gets one SIGTERM from us: a second signal would
            # end it at once.
            process_group=0,
            # Without the machine's own settings, and with a database in memory: the scenario is
            # the same on every machine, and leaves nothing behind.
            env={key: value for key, value in os.environ.items() if not key.startswith("CAFE_")}
            | {"CAFE_DATABASE_URL": "sqlite://"},
        )
        if process.stdout is None:
            raise RuntimeError("a process opened with a pipe has one")
        shop = await _read_addresses(process, process.stdout)
        if shop is None:
            raise ShopProcessError("did not start", process.returncode, _last_line(log))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, process.stdout)
            try:
                yield shop
            finally:
                await _stop(process)
        if process.returncode:
            raise ShopProcessError("ended badly", process.returncode, _last_line(log))


async def _read_addresses(
    process: trio.Process, stdout: trio.abc.ReceiveStream
) -> ShopAddresses | None:
    """Return the addresses when both are printed; else stop the process and return None."""
    printed = ""
    shop = None
    try:
        with trio.move_on_after(_START_SECONDS):
            while shop is None and (chunk := await stdout.receive_some()):
                printed += chunk.decode("utf-8", "replace")
                shop = parse_addresses(printed)
    finally:
        if shop is None:
            await _stop(process)
    return shop


async def _drain(stdout: trio.abc.ReceiveStream) -> None:
    """Read until the process exits, so that a full pipe never blocks the shop."""
    with trio.CancelScope(shield=True):
        async for _ in stdout:
            pass


async def _stop(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        process.terminate()
        with trio.move_on_after(_STOP_SECONDS):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    return (log.read().splitlines() or ["it said nothing"])[-1]


@dataclass(frozen=True, slots=True)
class Scenario:
    """The parameters of both phases."""

    regulars: int
    groups: Span
    baristas: int
    shift: Shift
    attack: int
    """How many orders the attacker sends at once."""
    seed: int

    def phase(self, title: str, shop: ShopAddresses, transport: OpenTransport = open_tcp) -> Phase:
        """Return a phase with players for `shop`; the same ones each time."""
        rng = seeded_random(self.seed, "regulars")
        groups = split_into_groups(self.regulars, self.groups, rng)
        crowd = Crowd(groups, _BETWEEN_GROUPS, shop.client, rng, _REGULARS, transport)
        staff = Staff(self.baristas, shop.worker, self.shift, transport=transport)
        return Phase(title, crowd, staff)


@dataclass(slots=True, eq=False)
class Phase:
    """One phase: its players, the board that shows them, and its result."""

    title: str
    crowd: Crowd
    staff: Staff
    attack: Attack | None = None

    async def play(self, attack: Callable[[], Awaitable[Attack]] | None = None) -> None:
        """Return when every regular has left, and the attack, if there is one, is over.

        It returns early if the baristas give up, or at Ctrl-C: see `check_ended`.
        """
        async with shown(self), trio.open_nursery() as nursery:
            nursery.start_soon(self._run_baristas, nursery.cancel_scope)
            async with trio.open_nursery() as visitors:
                visitors.start_soon(self.crowd.arrive)
                if attack is not None:
                    visitors.start_soon(self._run_attack, attack)
            nursery.cancel_scope.cancel()

    def check_ended(self) -> None:
        """Raise PlayerError if the baristas gave up, typer.Exit if Ctrl-C ended the phase."""
        if self.staff.error is not None:
            raise self.staff.error
        if not self.crowd.all_left:
            raise typer.Exit(INTERRUPTED)

    async def _run_baristas(self, scope: trio.CancelScope) -> None:
        await self.staff.work()
        scope.cancel()  # they all gave up: the regulars would wait for ever

    async def _run_attack(self, attack: Callable[[], Awaitable[Attack]]) -> None:
        await trio.sleep(_ATTACK_BEGINS)
        self.attack = await attack()

    def rows(self) -> Group:
        """Draw the customers above the baristas."""
        return Group(self.title, self.crowd.rows(), self.staff.rows())

    def line(self) -> str:
        """Return the state of both in one line."""
        return f"{self.title}: {self.crowd.line()}; {self.staff.line()}"


async def _attack(url: str, orders: int) -> Attack:
    """Run the attacker in a process of its own, so that it takes no time from the regulars."""
    # By its file: as a module of this package it would import the package first.
    command = [sys.executable, "-P", attacker.__file__, url, "--from", _ATTACKER]
    bounds = ["--orders", str(orders), "--seconds", str(_ATTACK_SECONDS)]
    done = await trio.run_process([*command, *bounds], capture_stdout=True)
    return Attack.parse(done.stdout.decode())


def pages_of(shop: ShopAddresses) -> list[str]:
    """Return a line for each page in which a shop can be watched in a browser."""
    guests, baristas = (urljoin(url, "/") for url in (shop.client, shop.worker))
    return [
        f"  the ready board: {guests}board",
        f"  the order page:  {guests}",
        f"  a barista's:     {baristas}barista",
    ]


def _show_pages(title: str, shop: ShopAddresses) -> None:
    # Like all progress it goes to stderr.
    for line in (f"The shop {title}, as long as it is open:", *pages_of(shop)):
        print_error(line)


async def _play_both(scenario: Scenario, *, watch: bool) -> tuple[Phase, Phase]:
    """Play both phases, each on a new shop, which has no bans and an empty queue."""
    async with open_shop() as shop:
        if watch:
            _show_pages("without an attacker", shop)
        calm = scenario.phase("without an attacker", shop)
        await calm.play()
    calm.check_ended()
    async with open_shop() as shop:
        if watch:
            _show_pages("with an attacker", shop)
        attacked = scenario.phase("with an attacker", shop)
        await attacked.play(partial(_attack, shop.client, scenario.attack))
    attacked.check_ended()
    return calm, attacked


def require_address(address: str) -> None:
    """Raise NoAddressError if a socket cannot be bound to `address`."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            raise NoAddressError(address) from None


def attack_title(orders: int) -> str:
    """Return the title of the result of an attack."""
    return f"The attacker, {_ATTACKER}, ordered {orders} at once:"


def _print_result(scenario: Scenario, calm: Phase, attacked: Phase, speed: float) -> None:
    console = plain_console()
    phases = (calm, attacked)
    groups = " and ".join(str(size) for size in calm.crowd.groups)
    console.print(
        f"{scenario.regulars} regulars in groups of {groups}, {scenario.baristas} baristas, "
        f"{speed:g} times as fast as life"
    )
    console.print(comparison({phase.title: phase.crowd.summary() for phase in phases}))
    if attacked.attack is not None:
        console.print(attack_title(attacked.attack.orders))
        console.print(attacked.attack.text())
    print(histograms({f"waits in seconds, {p.title}": p.crowd.summary().served for p in phases}))


def play(scenario: Scenario, speed: float, *, watch: bool = False) -> bool:
    """Play both phases and print the results; return whether all regulars got a coffee.

    `watch`: also print the URLs of each shop's pages.

    Raises PlayerError.
    """
    for address in (*_REGULARS, _ATTACKER):
        require_address(address)
    calm, attacked = trio.run(partial(_play_both, scenario, watch=watch))
    _print_result(scenario, calm, attacked, speed)
    return calm.crowd.summary().all_served and attacked.crowd.summary().all_served
