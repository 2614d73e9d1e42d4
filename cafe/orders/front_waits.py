"""The orders that clients of one front wait for, and how their waits end by the log.

Rule: it asks nothing. Committed events and the house's answers are passed in; a wait ends once.
A wait costs one entry here and one trio.Event, and a committed event costs one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import trio

from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Logged, Put
from cafe.orders.messages import Standing
from cafe.orders.order import Action, Order, Status
from cafe.orders.refusals import CutOffFromQueue, OrderCancelled
from cafe.orders.tables import order_of, orders

ENDED: Final = frozenset({Status.READY, Status.DELIVERED, Status.CANCELLED})


class Wait:
    """All clients of this front that wait for one order."""

    __slots__ = ("collecting", "done", "is_held", "known", "looking", "placing", "refuse", "result")

    def __init__(self) -> None:
        """Begin without clients."""
        self.done = trio.Event()
        self.placing = 0
        """How many clients are placing the order: the house may not know its id yet."""
        self.collecting = 0
        """How many clients wait for the order to be handed over to them."""
        self.looking = 0
        """How many other clients wait for the order to end."""
        self.is_held = False
        """Whether the house holds the order for a client that placed it and is about to wait."""
        self.known: Order | None = None
        """The order, if its row in the log lacks its basket or destination."""
        self.result: Standing | None = None
        self.refuse: Callable[[], CafeRefusal] | None = None
        """Makes the refusal, if all waiting clients are refused."""

    @property
    def is_waited_for(self) -> bool:
        """Whether to ask the house about the order again after missed events."""
        return bool(self.collecting or self.looking or self.is_held)

    def end(self, standing: Standing) -> None:
        """Answer all waiting clients."""
        self.result = standing
        self.done.set()

    def end_all(self, refuse: Callable[[], CafeRefusal]) -> None:
        """Refuse all waiting clients."""
        self.refuse = refuse
        self.done.set()

    def answer(self, *, collects: bool) -> Standing:
        """Return the standing at the end; raises the refusal, or OrderCancelled to a customer."""
        if self.result is None:
            raise OrderCancelled if self.refuse is None else self.refuse()
        return answer_of(self.result, collects=collects)


def answer_of(standing: Standing, *, collects: bool) -> Standing:
    """Return the standing of an ended order; raises OrderCancelled to a customer who collects."""
    if collects and standing.order.status is Status.CANCELLED:
        raise OrderCancelled
    return standing


class Waits:
    """The waits of one front, by order."""

    def __init__(self, ban_seconds: float) -> None:
        """Begin without waits; a refusal of a cut-off order names `ban_seconds`."""
        self._ban_seconds = ban_seconds
        self._waits: dict[str, Wait] = {}

    def __len__(self) -> int:
        """Return how many orders have a wait."""
        return len(self._waits)

    def __iter__(self) -> Iterator[tuple[str, Wait]]:
        """Yield each order's id and wait; the waits may change meanwhile."""
        return iter(list(self._waits.items()))

    def join(self, order_id: str) -> Wait:
        """Return the wait of an order; makes one if there is none, or only an ended one."""
        wait = self._waits.get(order_id)
        if wait is None or (wait.done.is_set() and not wait.is_held):
            wait = self._waits[order_id] = Wait()
        return wait

    def find(self, order_id: str) -> Wait | None:
        """Return the wait of an order, if there is one."""
        return self._waits.get(order_id)

    def is_collected(self, order_id: str) -> bool:
        """Return whether a client here waits for an order to be handed over."""
        wait = self._waits.get(order_id)
        return wait is not None and (wait.collecting > 0 or wait.is_held)

    def tidy(self, order_id: str, wait: Wait) -> None:
        """Forget a wait if no client needs it any longer."""
        if not (wait.placing or wait.is_waited_for) and self._waits.get(order_id) is wait:
            del self._waits[order_id]

    def hear(self, logged: Sequence[Logged]) -> list[str]:
        """End waits by committed events; return the orders that the house has to be asked about.

        Those are ready, but not handed over to the customer who waits here: the house did not know
        of that wait. Otherwise finish and hand-over are in the same commit.
        """
        if not self._waits:
            return []
        ready: dict[str, Standing] = {}
        unclear: list[str] = []
        for one in logged:
            event = one.event
            if event.after not in ENDED or one.department != "orders":
                continue
            order_id = event.subject
            wait = self._waits.get(order_id)
            if wait is None or wait.done.is_set():
                continue
            if not self._take(one, wait, ready):
                unclear.append(order_id)
        for order_id, standing in ready.items():
            wait = self._waits[order_id]
            if wait.placing or wait.collecting or wait.is_held:
                unclear.append(order_id)
            else:
                wait.end(standing)
        return unclear

    def _take(self, one: Logged, wait: Wait, ready: dict[str, Standing]) -> bool:
        """End a wait by an event, or add its order to `ready`; False if the row is not enough."""
        order_id, at = one.event.subject, one.event.at
        if one.event.after == Status.DELIVERED and order_id in ready:
            # The standing at the finish, as for a customer who waits in the house.
            wait.end(ready.pop(order_id))
            return True
        order = _order_in(one, wait)
        if order is None:
            return False
        if one.event.action == Action.CUT_OFF:
            wait.end_all(self._cut_off)
        elif order.status is Status.READY:
            ready[order_id] = _at_the_end(order, at)
        else:
            ready.pop(order_id, None)
            wait.end(_at_the_end(order, at))
        return True

    def _cut_off(self) -> CafeRefusal:
        return CutOffFromQueue(self._ban_seconds)


def _order_in(logged: Logged, wait: Wait) -> Order | None:
    """Return an order as of an event; None if its row in the log does not have all of it."""
    change = logged.changes[0] if logged.changes else None
    if not (isinstance(change, Put) and change.table is orders):
        return None
    order = order_of(change.row)
    if wait.known is not None:
        return order._replace(basket=wait.known.basket, destination=wait.known.destination)
    return order if order.basket is None else None


def _at_the_end(order: Order, at: float) -> Standing:
    return Standing(order, None, None, order.waited_seconds(at))
