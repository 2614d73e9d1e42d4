"""`cafe notifications`: lists notifications, and retries them.

Rule: that of `outgoing.py`, which does it.
"""

from __future__ import annotations

from typing import Annotated, Final

import typer

from cafe.cli.options import DatabaseUrl, ShopUrl
from cafe.cli.outgoing import SET_ASIDE, Most, Outgoing, RetriedId, Shown

notifications = typer.Typer(
    help="List notifications, and have them attempted again.", no_args_is_help=True
)


def _cells(one: Shown) -> tuple[object, ...]:
    about = f"order {one['number']}" if one["topic"] == "order" else f"booking {one['booking_id']}"
    return about, one["sequence"], one["status"]


NOTIFICATIONS: Final = Outgoing("notification", "event_id", ("about", "no.", "status"), _cells)


@notifications.command("list")
def list_notifications(
    *,
    order: Annotated[
        str | None,
        typer.Option(help="Only those of the order with this id.", show_default=False),
    ] = None,
    booking: Annotated[
        str | None,
        typer.Option(help="Only those of the booking with this id.", show_default=False),
    ] = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Only those whose attempts have all failed.")
    ] = False,
    most: Most = 100,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """List notifications, the newest first."""
    query = {"order_id": order, "booking_id": booking, **(SET_ASIDE if set_aside else {})}
    NOTIFICATIONS.print_list(query, most, database_url, url)


@notifications.command()
def retry(
    event_id: RetriedId = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All whose attempts have all failed.")
    ] = False,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """Attempt a notification at once, and again by the whole schedule if that fails."""
    NOTIFICATIONS.retry(event_id, database_url, url, every=every)
