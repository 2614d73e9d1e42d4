"""The department of live streams: those of both apps, and the task that makes the states.

Rule: no rows, no decisions: events come from the log, and states from their owners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

from prometheus_client.core import GaugeMetricFamily, Metric

from cafe.events.customer_api import customer_routes
from cafe.events.log_reader import load_pruned
from cafe.events.staff_api import staff_routes
from cafe.events.states import States
from cafe.events.stream import Streams
from cafe.offer import Front, House, Offer
from cafe.orders.desk import Desk
from cafe.orders.ready_board import ReadyBoard

ListenToHands = Callable[[Callable[[AbstractSet[str]], object]], None]
"""Registers a callback, which gets the accounts of couriers whose duty or delivery has changed."""


def open_events(
    house: House, *, desk: Desk, ready_board: ReadyBoard, listen_to_hands: ListenToHands
) -> Offer:
    """Return the offer of a shop; in a house, only the query that its fronts need."""
    if house.has_fronts:
        return Offer(name="events", queries=(load_pruned,))
    states = States(ready_board, desk, house.ledger)
    offer = offer_of(states, house, desk=desk, listen_to_hands=listen_to_hands)
    return replace(offer, queries=(load_pruned,))


def reach_events(
    front: Front, *, desk: Desk, ready_board: ReadyBoard, listen_to_hands: ListenToHands
) -> Offer:
    """Return the offer of a front; `ready_board` must follow the front's ledger."""
    states = States(ready_board, desk, front.ledger, shares_ids=True)
    front.ledger.on_gap(states.touch_all)
    return offer_of(states, front, desk=desk, listen_to_hands=listen_to_hands)


def offer_of(
    states: States, place: House | Front, *, desk: Desk, listen_to_hands: ListenToHands
) -> Offer:
    """Return the offer in a process that serves streams."""
    streams = Streams()
    place.ledger.listen(states.hear)
    listen_to_hands(states.signal)
    return Offer(
        name="events",
        customer_routes=(customer_routes(states, streams, desk, place.limiter, place.closing),),
        staff_routes=(staff_routes(place.ledger, streams, place.closing),),
        metrics=partial(metrics, streams),
        serving=(states.run,),
        close=partial(end_all, streams),
    )


async def metrics(streams: Streams) -> Iterable[Metric]:
    """Return how many streams are open."""
    family = GaugeMetricFamily("cafe_event_streams", "Open streams of events.", labels=("app",))
    for app in ("client", "worker"):
        family.add_metric((app,), streams.open[app])
    return [family]


async def end_all(streams: Streams) -> Mapping[str, int]:
    """End all streams on closing; return how many, to be logged."""
    return {"streams_ended": streams.end_all()}
