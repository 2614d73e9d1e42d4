"""`cafe order`, `start`, `finish` and `orders`: the counter of a running shop, for people.

Rule: each makes one or a few requests, like any client. It prints a sentence or a table for people,
and with --json the shop's answer for programs.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any, Final

import typer

from cafe.cli.asking import (
    CLAIM,
    FINISHED,
    PLACED,
    Port,
    RefusedError,
    Shown,
    live_orders,
    parse_url,
    query_of,
)
from cafe.cli.order_table import duration, show_live, table_of
from cafe.cli.streams import print_error
from cafe.operations.printable import printable

WAIT: Final = 30
"""Seconds for which the shop may hold one request."""
UNFINISHED: Final = ("waiting", "preparation")
NOTHING_TO_DO: Final = 1
"""The exit code of `cafe start` when no order waits."""

CLIENT_URL: Final = "http://127.0.0.1:8080"
WORKER_URL: Final = "http://127.0.0.1:8081"
CustomersUrl = Annotated[
    str,
    typer.Option(
        "--url", parser=parse_url, metavar="URL", envvar="CAFE_URL", help="The customers' port."
    ),
]
BaristasUrl = Annotated[
    str,
    typer.Option(
        "--url",
        parser=parse_url,
        metavar="URL",
        envvar=["CAFE_WORKER_URL", "CAFE_URL"],
        help="The baristas' port.",
    ),
]
CustomersToken = Annotated[
    str | None,
    typer.Option("--token", envvar="CAFE_TOKEN", help="Of an account; orders need none."),
]
BaristasToken = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar=["CAFE_TOKEN", "CAFE_WORKER_TOKEN"],
        help="Of a barista, of a program, or the shop's worker token.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as the shop has answered.")]
Barista = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who you are.", show_default=False)
]


def order(
    name: Annotated[
        str | None, typer.Argument(help="Called out when it is ready.", show_default=False)
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is ready.")] = False,
    as_json: AsJson = False,
    url: CustomersUrl = CLIENT_URL,
    token: CustomersToken = None,
) -> None:
    """Order a coffee in a running shop.

    The order is not bound to this command: Ctrl-C ends the waiting, and the coffee is still made.
    With --wait the exit code is 1 if the order was cancelled.
    """
    shop = Port(url, "client", token)
    wish = {} if name is None else {"name": name}
    placed: Shown = shop.post("/order/", PLACED, wish, fields={"Prefer": "respond-async"}).body
    said = "" if as_json else say_where(placed)
    while wait and placed["status"] in UNFINISHED:
        path, fields = f"/order/{placed['order_id']}", {"Prefer": f"wait={WAIT}"}
        placed = shop.get(path, PLACED, fields=fields, wait=WAIT).body
        said = said if as_json else say_where(placed, said)
    if as_json:
        print_json(placed)
    if placed["status"] == "cancelled":
        raise typer.Exit(1)


def start(
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until there is an order.")] = False,
    barista: Barista = None,
    as_json: AsJson = False,
    url: BaristasUrl = WORKER_URL,
    token: BaristasToken = None,
) -> None:
    """Claim the order that has waited longest.

    If none waits, the exit code is 1. An order that is claimed and not finished goes back to the
    queue after a while.
    """
    shop = Port(url, "worker", token)
    query = query_of(barista=barista, wait=WAIT if wait else None)
    claim: Shown | None = None
    while claim is None:
        claim = shop.post(f"/start/?{query}", CLAIM, wait=WAIT, may_be_empty=True).body
        if claim is None and not wait:
            print_error("cafe: No order waits.")
            raise typer.Exit(NOTHING_TO_DO)
    if as_json:
        print_json(claim)
        return
    name = f" for {claim['name']}" if claim["name"] else ""
    print(printable(f"Order {claim['number']}: {claim['drink']}{name}."))


def finish(
    number: Annotated[
        int | None, typer.Argument(min=1, help="Of the order; if there is one only: that.")
    ] = None,
    *,
    barista: Barista = None,
    as_json: AsJson = False,
    url: BaristasUrl = WORKER_URL,
    token: BaristasToken = None,
) -> None:
    """Declare an order ready.

    Without a number it is the one order that is in preparation, or that --barista has in hand.
    """
    shop = Port(url, "worker", token)
    meant = order_meant(list(live_orders(shop, barista)), number)
    finished: Shown = shop.post("/finish/", FINISHED, {"order_id": meant["order_id"]}).body
    if as_json:
        print_json(finished)
        return
    ending = "" if finished["collected"] else "; its customer has left"
    took = duration(finished["brewed_seconds"])
    print(printable(f"Order {finished['number']} is ready, brewed in {took}{ending}."))


def orders(
    *,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Show them live until Ctrl-C; not on a terminal: once."),
    ] = False,
    as_json: AsJson = False,
    url: BaristasUrl = WORKER_URL,
    token: BaristasToken = None,
) -> None:
    """List the orders that wait or are in preparation."""
    shop = Port(url, "worker", token)
    if watch and not as_json and sys.stdout.isatty():
        show_live(shop, pause=time.sleep)
        return
    found = list(live_orders(shop))
    if as_json:
        print_json({"orders": found})
    elif found:
        from rich.console import Console  # noqa: PLC0415 - what else is printed needs no rich

        Console(highlight=False).print(table_of(found))
    else:
        print("No order waits or is in preparation.")


def order_meant(found: list[Shown], number: int | None) -> Shown:
    """Return the order with a number, or the only one in preparation; raises RefusedError."""
    if number is not None:
        meant = [one for one in found if one["number"] == number]
        if not meant:
            raise RefusedError(f"Order {number} neither waits nor is in preparation.")
        return meant[0]
    meant = [one for one in found if one["status"] == "preparation"]
    if not meant:
        raise RefusedError("No order is in preparation.")
    if len(meant) > 1:
        numbers = ", ".join(str(one["number"]) for one in meant)
        raise RefusedError(f"Several orders are in preparation; name one of {numbers}.")
    return meant[0]


def say_where(placed: Shown, said: str = "") -> str:
    """Print the status of an order, in the shop's words, unless `said` before; return them."""
    message = str(placed["message"])
    if message != said:
        eta = placed["eta_seconds"]
        soon = "" if eta is None else f" It is ready in about {duration(eta)}."
        print(printable(f"{message}{soon}"), flush=True)
    return message


def print_json(value: Any) -> None:
    """Print JSON in ASCII, so unprintable characters are escaped."""
    print(json.dumps(value, indent=2))
