"""`cafe baristas`, `customers`, `rush` and `providers`: their options and functions.

Rule: the players are imported when a command runs: help and completion need none.
"""

from __future__ import annotations

import math
from typing import Annotated

import typer

from cafe.cli.asking import parse_full_url
from cafe.cli.imports import importing
from cafe.players.options import (
    AMERICANO,
    BETWEEN_GROUPS,
    GROUP,
    Brew,
    Groups,
    Manner,
    Pause,
    RetryFor,
    Seed,
    Speed,
    parse_address,
    seeded_random,
)


def baristas(
    number: Annotated[int, typer.Argument(min=1, help="How many baristas.")] = 10,
    *,
    brew: Brew = AMERICANO,
    speed: Speed = 1.0,
    url: Annotated[
        str, typer.Option(parser=parse_full_url, metavar="URL", help="The shop's worker port.")
    ] = "http://127.0.0.1:8081",
    token: Annotated[
        str | None, typer.Option(envvar="CAFE_WORKER_TOKEN", help="The shop's worker token.")
    ] = None,
    orders: Annotated[
        int | None,
        typer.Option(
            min=1, help="Go home after this many orders, all together.", show_default="never"
        ),
    ] = None,
    idle: Annotated[
        float,
        typer.Option(
            min=0.1, help="Go home after this many seconds without an order.", show_default="never"
        ),
    ] = math.inf,
    retry_for: RetryFor = 30.0,
    seed: Seed = None,
) -> None:
    """Let baristas work in a running shop until Ctrl-C.

    Each claims the oldest order, brews it and declares it ready, over a connection of its own.
    With --orders or --idle they go home by themselves. At Ctrl-C an order in hand is released.
    """
    with importing():
        from cafe.players.baristas import Shift, Staff, play  # noqa: PLC0415 - not for help

    shift = Shift(brew / speed, idle, retry_for, orders, seed)
    play(Staff(number, url, shift, token))


def customers(
    number: Annotated[int, typer.Argument(min=1, help="How many customers, in all groups.")] = 200,
    *,
    groups: Groups = GROUP,
    pause: Pause = BETWEEN_GROUPS,
    url: Annotated[
        str, typer.Option(parser=parse_full_url, metavar="URL", help="The shop's client port.")
    ] = "http://127.0.0.1:8080",
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            parser=parse_address,
            metavar="ADDRESS",
            help="A local address to connect from; if given several times, groups take turns.",
        ),
    ] = None,
    retry_for: RetryFor = 10.0,
    seed: Seed = None,
) -> None:
    """Let groups of customers order in a running shop, and wait for as long as it takes.

    Prints what they got and a histogram of their waits. The exit code is 0 only when every
    customer got a 200.
    """
    with importing():
        from cafe.players.customers import Crowd, play, split_into_groups  # noqa: PLC0415 - not for help

    rng = seeded_random(seed)
    crowd = Crowd(split_into_groups(number, groups, rng), pause, url, rng, source or (None,))
    if not play(crowd, retry_for):
        raise typer.Exit(1)


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
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Print the addresses of its pages, to look at meanwhile."),
    ] = False,
) -> None:
    """Play the whole scenario on shops of its own: first without, then with an attacker.

    Starts a shop on free ports twice, with baristas and groups of regulars, and in the second phase
    an attacker from another loopback address. Prints what each side got. The exit code is 0
    only when every regular got a 200 in both phases. Takes under a minute.
    """
    with importing():
        from cafe.players.baristas import Shift  # noqa: PLC0415 - not for help
        from cafe.players.rush import Scenario, play  # noqa: PLC0415

    shift = Shift(brew / speed, seed=seed)
    if not play(Scenario(regulars, groups, baristas, shift, attack, seed), speed, watch=watch):
        raise typer.Exit(1)


def providers(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 is any free port.")] = 8090,
    charges: Annotated[Manner, typer.Option(help="How charges are answered.")] = Manner.ACCEPT,
    refunds: Annotated[Manner, typer.Option(help="How refunds are answered.")] = Manner.ACCEPT,
    notifications: Annotated[
        Manner, typer.Option(help="How notifications are answered.")
    ] = Manner.ACCEPT,
    bookings: Annotated[
        Manner, typer.Option(help="How requests for tables are answered.")
    ] = Manner.ACCEPT,
) -> None:
    """Stand in for the providers of payments, refunds and notifications, until Ctrl-C.

    And for a booking program, which takes requests for tables and decides none. Prints the settings
    to start a shop with. GET /charges, /refunds, /notifications and /bookings list what was done;
    PUT /manners {"charges": "stall"} changes how they answer from then on.
    """
    with importing():
        from cafe.players.providers import play  # noqa: PLC0415 - not for help

    play(port, charges, refunds, notifications, bookings)
