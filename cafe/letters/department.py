"""The department of letters: its tables for the ledger, and what it offers to the shop.

Rule: the shop runs the tasks and serves the routes that are returned here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import trio
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select

from actors import Ref
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.ledger import Ledger
from cafe.ledger.sending import Bell
from cafe.letters.checks import CHECKS
from cafe.letters.desk import LetterDesk
from cafe.letters.followers import LetterLog, Writer
from cafe.letters.letter import TRANSITIONS, State
from cafe.letters.mail_folder import MailFolder
from cafe.letters.mailer import Mailer
from cafe.letters.messages import CheckIn
from cafe.letters.queries import (
    PRUNE,
    begin_following,
    count_backlog,
    ended,
    hasten,
    load_position,
    read_one,
    read_page,
)
from cafe.letters.rendering import Stationery
from cafe.letters.sending import Send, post
from cafe.letters.smtp import mail_server
from cafe.letters.staff_api import manager_routes
from cafe.letters.tables import attempts, contents, followed, letters
from cafe.offer import Front, House, Offer
from cafe.setting_types import parse_sender
from cafe.settings import Settings

if TYPE_CHECKING:
    from cafe.bookings.messages import Bookings

METRICS_SECONDS: Final = 1.0
"""How long a scrape waits for the database; then it gets the previous numbers."""

QUERIES: Final = (read_one, read_page)
"""The queries with which the desk reads the ledger."""

LETTERS: Final = Department(
    "letters",
    tables=(letters, contents, attempts, followed),
    load=load_position,
    transitions=transitions_of(TRANSITIONS),
    checks=CHECKS,
    ended=ended,
    prune=PRUNE,
    followed=select(func.coalesce(select(followed.c.position).scalar_subquery(), 0)),
    remembers=False,
)


async def open_letters(house: House, bookings: Ref[Bookings]) -> Offer:
    """Start the Mailer from the ledger, and return what letters offer.

    Waits for the database without a time-out. Open it after bookings.
    """
    ledger = house.ledger
    await ledger.prepare(partial(hasten, now=ledger.now()))
    await ledger.prepare(begin_following)
    backlog = Backlog(ledger, await ledger.prepare(count_backlog))
    ledger.listen(LetterLog(house.registry).hear)
    bell = Bell()
    mailer = await house.start(mailer_factory(ledger, bell.ring), name="Mailer")
    writer = Writer(bookings, mailer, ledger, stationery_of(house.settings))
    return replace(
        letters_offer(LetterDesk(mailer, ledger)),
        answers=partial(mailer.ask, CheckIn()),
        metrics=backlog.metrics,
        tasks=(writer.follow, post(mailer, ledger, bell, sender_of(house.settings)).run),
        refs=(mailer,),
        queries=QUERIES,
    )


def reach_letters(front: Front) -> Offer:
    """Return what letters offer at a front, which sends none."""
    return letters_offer(LetterDesk(front.house.ref(Mailer), front.ledger))


def letters_offer(desk: LetterDesk) -> Offer:
    """Return what letters offer, given their desk."""
    return Offer(name="letters", staff_routes=(manager_routes(desk),))


def mailer_factory(ledger: Ledger, wake: Callable[[], None]) -> Callable[[], Awaitable[Mailer]]:
    """Return a factory of Mailers, for its start and each restart; waits for the database."""

    async def make() -> Mailer:
        opened = await ledger.open(LETTERS)
        wake()  # for the commits of an earlier instance
        return Mailer(ledger, opened, wake)

    return make


def stationery_of(settings: Settings) -> Stationery:
    """Return the parts that all letters share, from the settings."""
    sender = parse_sender(settings.mail_from)
    return Stationery(sender, ZoneInfo(settings.time_zone), settings.public_url)


def sender_of(settings: Settings) -> Send:
    """Return the function that sends letters: to the mail server, or if there is none, to files."""
    if settings.smtp_url is None:
        return MailFolder(settings.mail_dir).send
    sender = parse_sender(settings.mail_from).addr_spec
    return mail_server(settings.smtp_url.get_secret_value(), sender).send


class Backlog:
    """How many letters are not sent, by state: counted in the ledger with each scrape."""

    def __init__(self, ledger: Ledger, counted: Mapping[State, int]) -> None:
        """Start from the numbers `counted`."""
        self._ledger = ledger
        self._counted = counted

    async def metrics(self) -> Iterable[Metric]:
        """Return the gauge; while the database is away, with the last numbers."""
        with trio.move_on_after(METRICS_SECONDS), suppress(LedgerUnavailable):
            self._counted = await self._ledger.read(count_backlog)
        gauge = GaugeMetricFamily(
            "cafe_letters", "Letters that are not sent, by state.", labels=("state",)
        )
        for state, number in self._counted.items():
            gauge.add_metric((state.value,), number)
        return (gauge,)
