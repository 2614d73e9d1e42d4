"""What fronts ask of a house can cross the bus: every message, answer, query and call.

Rule: the offers of an open house say what can be asked. A type crosses if msgspec reads it from
bytes without help, whatever it is made of.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec
import pytest
from msgspec import inspect as types
from prometheus_client import CollectorRegistry

from actors import open_system
from cafe.bus.codec import answer_of
from cafe.bus.queries import path_of
from cafe.ledger.department import Logged
from cafe.offer import Offer
from cafe.settings import read_settings
from cafe.shop.departments import OURS
from cafe.shop.shop import open_house
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_ledger

HOUSES_OWN: Final = {
    "Couriers.Follow": "the house follows the log; rows name their tables",
    "Cashier.Follow": "as above",
    "Notifier.Follow": "as above",
}
"""Messages that no front sends, and why they could not cross."""
DESKS: Final = (
    "cafe.accounts.desk",
    "cafe.bookings.desk",
    "cafe.delivery.desk",
    "cafe.letters.desk",
    "cafe.notifications.desk",
    "cafe.operations.day_reader",
    "cafe.orders.asking",
    "cafe.orders.basket_desk",
    "cafe.orders.desk",
    "cafe.payments.pages",
    "cafe.payments.till",
)
"""Modules that read, in a house and at a front."""
NOT_READ_BY: Final = {
    "cafe.orders.kept_queries.load_board": "a house begins with it",
    "cafe.orders.kept_queries.load_ids": "as above",
    "cafe.orders.kept_queries.load_keys": "as above",
    "cafe.orders.queries.read_orders": "a part of other queries",
}
"""Functions of a connection that those modules have, and do not read by at a front."""


async def offers_in(folder: Path) -> tuple[Offer, ...]:
    """Open all departments of a house, and return what they offer."""
    settings = read_settings({"database_url": "sqlite://", "mail_dir": str(folder)})
    async with open_ledger(FaultyStore()) as ledger, open_system() as system:
        registry = CollectorRegistry()
        shop = await open_house(settings, system, ledger, registry, OURS, has_fronts=True)
        return shop.offers


def why_not(kind: Any) -> str | None:
    """Return why values of a type do not cross; None if they do."""
    try:
        found = types.type_info(kind)
        msgspec.msgpack.Decoder(kind)
    except TypeError as error:
        return str(error)
    foreign = [repr(one.cls) for one in parts_of(found, set()) if isinstance(one, types.CustomType)]
    return f"msgspec does not know {', '.join(foreign)}" if foreign else None


def parts_of(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the types that a type is made of, and itself."""
    items: Any = value  # not narrowed by what follows
    if isinstance(value, tuple):
        for one in items:
            yield from parts_of(one, seen)
    elif isinstance(value, types.Type | types.Field) and id(value) not in seen:
        seen.add(id(value))
        yield value
        for name in value.__struct_fields__:
            yield from parts_of(getattr(value, name), seen)


class Board:
    """A class that msgspec does not know."""


@pytest.mark.parametrize("kind", [Board, list[Board], dict[str, tuple[Board, ...]], Logged])
def test_a_type_that_does_not_cross_is_found(kind: Any) -> None:
    assert why_not(kind) is not None


async def test_every_message_that_fronts_send_and_its_answer_cross(tmp_path: Path) -> None:
    offers = await offers_in(tmp_path)
    found: dict[str, str] = {}
    for ref in (ref for offer in offers for ref in offer.refs):
        for message in ref.messages:
            for kind in (message, answer_of(message)):
                why = why_not(kind)
                if why is not None:
                    found[f"{ref.name}.{message.__name__}"] = why
    assert found.keys() == HOUSES_OWN.keys(), found


async def test_every_query_takes_and_returns_what_crosses(tmp_path: Path) -> None:
    offers = await offers_in(tmp_path)
    for query in (query for offer in offers for query in offer.queries):
        _first, *rest = inspect.signature(query).parameters
        hints = get_type_hints(query)
        # An event that is read back has no changes, so it crosses nevertheless.
        kinds = {name: hints[name] for name in (*rest, "return")} | (
            {"return": None} if hints["return"] == list[Logged] else {}
        )
        reasons = {name: why_not(kind) for name, kind in kinds.items()}
        assert not any(reasons.values()), (path_of(query), reasons)
        assert "<" not in query.__qualname__


async def test_no_two_departments_offer_one_name(tmp_path: Path) -> None:
    offers = await offers_in(tmp_path)
    names = Counter(
        [
            *(ref.name for offer in offers for ref in offer.refs),
            *(path_of(query) for offer in offers for query in offer.queries),
            *(name for offer in offers for name in offer.calls),
        ]
    )
    assert [name for name, number in names.items() if number > 1] == []


def queries_in(module: str) -> Iterator[Callable[..., Any]]:
    """Yield the functions of a connection that a module has or imports."""
    for value in vars(import_module(module)).values():
        if inspect.isfunction(value):
            first = next(iter(inspect.signature(value).parameters), None)
            if first == "connection":
                yield value


async def test_every_query_that_a_desk_knows_is_offered(tmp_path: Path) -> None:
    offers = await offers_in(tmp_path)
    offered = {query for offer in offers for query in offer.queries}
    known = {query for module in DESKS for query in queries_in(module)}
    assert {path_of(one) for one in known - offered} == NOT_READ_BY.keys()
