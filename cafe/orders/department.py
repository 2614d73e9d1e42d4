"""What the ledger and the shop need to know of orders: their tables, and what they offer when open.

Rule: values only. The shop starts the Dispatcher and the tasks, and serves the routes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from prometheus_client.core import Metric
from sqlalchemy import Executable, Select, and_, delete, func, select

from actors import ActorCrashed, Ref
from cafe.http.refusals import Closing
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import load_when_refused, until_done
from cafe.limits.rate_limiter import RateLimiter
from cafe.menu.messages import Board
from cafe.offer import Front, House, Offer
from cafe.orders.autopilot import Autopilot, keep_ticking
from cafe.orders.checks import CHECKS
from cafe.orders.customer_api import customer_routes
from cafe.orders.desk import Desk, load_ids_and_keys, load_ready_board
from cafe.orders.dispatcher import Dispatcher, Rules
from cafe.orders.followers import OrderLog, metrics_of
from cafe.orders.holdings import Holdings
from cafe.orders.kept_queries import read_cups, read_keys, read_secret
from cafe.orders.messages import CloseShop, CountQueue, CutOff, LeaveFront, LoadOrders
from cafe.orders.order import BEGINNINGS, TRANSITIONS, Status
from cafe.orders.pause import PAUSE_TRANSITIONS
from cafe.orders.pause_api import pause_routes
from cafe.orders.pause_table import pauses
from cafe.orders.queries import (
    Snapshot,
    drop_expired_keys,
    find_by_key,
    find_order,
    find_orders,
    list_placed,
    load_orders,
    read_history,
)
from cafe.orders.ready_board import ReadyBoard
from cafe.orders.staff_api import barista_routes
from cafe.orders.tables import destinations, id_secret, keys, lines, orders


def _ended(before: float) -> Select[Any]:
    # The highest number is kept: the next order's is one more.
    highest = select(func.max(orders.c.number)).scalar_subquery()
    # An order that a courier has yet to bring is kept, however long that takes.
    is_brought = select(destinations.c.order_id).where(destinations.c.order_id == orders.c.order_id)
    is_under_way = and_(orders.c.status == Status.READY.value, is_brought.exists())
    return select(orders.c.order_id).where(
        orders.c.ended_at < before, orders.c.number < highest, ~is_under_way
    )


def _prune_keys(subjects: Sequence[str]) -> Executable:
    return delete(keys).where(keys.c.order_id.in_(subjects))


def _prune_lines(subjects: Sequence[str]) -> Executable:
    return delete(lines).where(lines.c.order_id.in_(subjects))


def _prune_destinations(subjects: Sequence[str]) -> Executable:
    return delete(destinations).where(destinations.c.order_id.in_(subjects))


def _prune_orders(subjects: Sequence[str]) -> Executable:
    return delete(orders).where(orders.c.order_id.in_(subjects))


ORDERS = Department(
    "orders",
    tables=(orders, lines, destinations, keys, id_secret, pauses),
    load=load_orders,
    transitions={**transitions_of(TRANSITIONS, BEGINNINGS), **transitions_of(PAUSE_TRANSITIONS)},
    checks=CHECKS,
    ended=_ended,
    prune=(_prune_keys, _prune_lines, _prune_destinations, _prune_orders),
)


READ_AT_FRONTS: Final = (
    find_by_key,
    find_order,
    find_orders,
    list_placed,
    read_cups,
    read_history,
    read_keys,
    read_secret,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersOffer(Offer):
    """What the shop and other departments get from orders."""

    dispatcher: Ref[Dispatcher]
    desk: Desk
    ready_board: ReadyBoard = field(default_factory=ReadyBoard)


async def open_orders(house: House, *, board: Board) -> OrdersOffer:
    """Start the Dispatcher on what the ledger has, and return what orders offer.

    Waits for the database, however long it is away. Raises what the Dispatcher's start raises.
    """
    settings, ledger, closing = house.settings, house.ledger, house.closing
    ledger.listen(OrderLog(house.registry).hear)
    ttl = settings.key_ttl_seconds
    ids, keys_kept = await load_ids_and_keys(ledger, ttl)
    # With fronts, this process shows no board: each front has its own.
    ready_board = ReadyBoard() if house.has_fronts else await load_ready_board(ledger)
    rules = Rules(settings.lease_seconds, settings.max_waiting, ttl, has_fronts=house.has_fronts)
    dispatcher = await house.start(dispatcher_factory(rules, ledger, closing), name="Dispatcher")
    desk = Desk(dispatcher, ledger, ids, keys_kept, ledger.now, ttl)
    offer = replace(
        orders_offer(desk, house.limiter, board, ledger),
        ready_board=ready_board,
        refs=(dispatcher,),
        queries=READ_AT_FRONTS,
        front_gone=partial(leave_front, dispatcher),
    )
    if settings.autopilot is None:
        return offer
    seconds = settings.autopilot
    flying = partial(Autopilot, dispatcher, closing, seconds)
    autopilot = await house.start(flying, name="Autopilot")
    return replace(offer, tasks=(*offer.tasks, partial(keep_ticking, autopilot, seconds)))


async def reach_orders(front: Front, *, board: Board) -> OrdersOffer:
    """Return what orders offer at a front; waits for a house, however long there is none."""
    from cafe.orders.front import DispatcherAtFront  # noqa: PLC0415 - as in the menu's
    from cafe.orders.front_copies import copied_board, copied_ids, copied_keys  # noqa: PLC0415

    settings, ledger = front.settings, front.ledger
    ttl = settings.key_ttl_seconds
    dispatcher = DispatcherAtFront(front.house, ledger, front.closing, settings.ban_seconds)
    desk = Desk(
        dispatcher,
        ledger,
        await copied_ids(ledger),
        await copied_keys(ledger, ttl),
        ledger.now,
        ttl,
    )
    return replace(
        asked_offer(desk, front.limiter, board),
        ready_board=await copied_board(ledger),
        serving=(dispatcher.run,),
        close=dispatcher.close,
    )


def dispatcher_factory(
    rules: Rules, ledger: Ledger, closing: Closing
) -> Callable[[], Awaitable[Dispatcher]]:
    """Return a factory of Dispatchers, for its start and each restart; waits for the database."""
    # If the ledger gives up, a Dispatcher without orders still answers, with refusals.
    load = partial(ledger.open_until_given_up, ORDERS, Snapshot())
    holdings = Holdings()

    async def make() -> Dispatcher:
        return Dispatcher(rules, ledger.now, load, await load(), closing, holdings=holdings)

    return make


def orders_offer(
    desk: Desk, limiter: Ref[RateLimiter], board: Board, ledger: Ledger
) -> OrdersOffer:
    """Return what orders offer in the process of the Dispatcher."""
    dispatcher = desk.dispatcher

    async def metrics() -> Iterable[Metric]:
        return metrics_of(await dispatcher.ask(CountQueue()))

    async def tidy() -> Mapping[str, int]:
        expired = partial(drop_expired_keys, placed_before=ledger.now() - desk.key_ttl_seconds)
        return {"keys": await ledger.maintain(expired)}

    return replace(
        asked_offer(desk, limiter, board),
        metrics=metrics,
        tasks=(partial(load_when_refused, ledger, ORDERS, dispatcher, LoadOrders()),),
        tidy=tidy,
        close=partial(answer_all, dispatcher),
    )


def asked_offer(desk: Desk, limiter: Ref[RateLimiter], board: Board) -> OrdersOffer:
    """Return what orders offer both in the process of the Dispatcher and at a front."""
    dispatcher = desk.dispatcher

    async def cut_off(address: str, seconds: float) -> int:
        return await dispatcher.ask(CutOff(address, seconds))

    return OrdersOffer(
        name="orders",
        customer_routes=(customer_routes(desk, limiter, board),),
        staff_routes=(barista_routes(desk, limiter), pause_routes(desk)),
        answers=partial(dispatcher.ask, CountQueue()),
        cut_off=cut_off,
        dispatcher=dispatcher,
        desk=desk,
    )


async def leave_front(dispatcher: Ref[Dispatcher], front: str) -> int:
    """End all waits at a front that has gone; return how many orders it held."""
    return await until_done(partial(dispatcher.ask, LeaveFront(front)))


async def answer_all(dispatcher: Ref[Dispatcher]) -> Mapping[str, int]:
    """Answer all who wait because the shop closes; return how many, and how many orders are left.

    If the Dispatcher crashes meanwhile, its next instance is asked; those who wait retry there.
    """
    answered: int | None = None
    while answered is None:
        with suppress(ActorCrashed):
            answered = await dispatcher.ask(CloseShop())
    left = await dispatcher.ask(CountQueue())
    return {"customers_answered": answered, "waiting": left.waiting, "preparing": left.preparing}
