"""The order book: the orders in memory, and which is next.

Rule: pure, and the oldest first, always. A barista gets the lowest ticket number that waits; an
order that comes back (released, lease expired) returns to its old place.

Theory of operation. An order is in exactly one place: in the queue (`waiting`), under a lease
(`preparation`) or among the ended ones, until it is forgotten (the ledger still has it). `_move`
is the only way from one to another, so that places and counts cannot disagree. A method that
changes an order returns the `Change`s that it made. Positions and estimates are not stored: each is
computed when it is asked for.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
from math import ceil
from typing import Any, NamedTuple

from cafe.orders.order import (
    BREWED,
    FINISHES,
    NO_ADDRESS,
    Action,
    Basket,
    Change,
    Destination,
    Order,
    Status,
)

Ticket = tuple[int, str]
"""An order's number and its id: lists of them are sorted, so that one is found by bisection."""

MOST_RECENT = 1_000
"""Ended orders that are kept in memory, to answer repeated requests."""
WEIGHT_OF_NEWEST = 0.1
"""The newest coffee's weight in an exponential mean of about the last twenty."""


CLOCK_AHEAD = 300.0
"""How many seconds in the future a claim may be before the clock counts as wrong: as many as the
ledger allows for its last event. A test compares the two."""
BARISTAS_DO = frozenset({Action.START, *FINISHES, Action.RELEASE})
_UNHELD: dict[str, None] = {"barista": None, "claim": None, "lease_expires_at": None}


class UnknownOrderError(Exception):
    """There is no such order, or it is forgotten."""


class Standing(NamedTuple):
    """An order as its customer sees it."""

    order: Order
    position: int | None
    """1 for the next to be started; None for an order that does not wait."""
    eta_seconds: float | None
    waited_seconds: float


class OrderBook:
    """All orders, live and recently ended; times are seconds since the epoch.

    Its owner reads the attributes, and changes them only by the methods.
    """

    def __init__(self, *, lease_seconds: float, key_ttl_seconds: float, most_recent: int) -> None:
        """Keep at most `most_recent` ended orders, besides those that are not committed."""
        self._lease_seconds = lease_seconds
        self._key_ttl_seconds = key_ttl_seconds
        self.orders: dict[str, Order] = {}
        """Every order in memory by its id: those that have not ended, and recently ended ones."""
        self.queue: list[Ticket] = []
        """The orders that wait, the next one first."""
        self.waiting_from: Counter[str] = Counter()
        """How many wait, by their customers' address."""
        self.leases: dict[str, float] = {}
        """The orders in preparation by id, and when the lease of each expires."""
        self.brewing_seconds: float | None = None
        """A running mean of brewing times; None before the first one."""
        self._last_number = 0
        self._most_recent = most_recent
        self._recent: dict[str, int] = {}
        """The ledger's count of entries at the last change of each ended order, oldest first."""
        self._claimed: list[Ticket] = []
        self._claimed_by: dict[str, list[Ticket]] = {}  # baristas who gave a name
        self._claims: dict[str, str] = {}  # by the claim's id, while the claim holds
        self._keys: dict[tuple[str, str], str] = {}  # by scope and Idempotency-Key
        self._by_status: Counter[Status] = Counter()

    # Looking

    @property
    def by_status(self) -> dict[Status, int]:
        """Count the orders in memory, by status."""
        return {status: self._by_status[status] for status in Status}

    def find(self, order_id: str) -> Order:
        """Return the order as it stands; raises UnknownOrderError."""
        order = self.orders.get(order_id)
        if order is None:
            raise UnknownOrderError(order_id)
        return order

    def find_by_key(self, scope: str, key: str, now: float) -> Order | None:
        """Return the order that was placed with this Idempotency-Key, while it holds.

        `scope` is the customer's address, or the account's scope.
        """
        order_id = self._keys.get((scope, key))
        if order_id is None:
            return None
        order = self.orders[order_id]
        if order.ended and order.placed_at + self._key_ttl_seconds <= now:
            self._forget_key(order)
            return None
        return order

    def standing(self, order: Order, idle_baristas: int, now: float) -> Standing:
        """Return the standing of an order, while `idle_baristas` baristas wait for one."""
        position = eta = None
        if order.status is Status.WAITING:
            position = bisect_left(self.queue, (order.number, order.order_id)) + 1
            eta = self.eta_seconds(position, idle_baristas)
        elif order.started_at is not None and not order.ended and self.brewing_seconds is not None:
            # Not negative: the clock may have been ahead when it was started.
            eta = max(0.0, self.brewing_seconds - max(0.0, now - order.started_at))
        return Standing(order, position, eta, order.waited_seconds(now))

    def eta_seconds(self, position: int, idle_baristas: int) -> float | None:
        """Estimate the seconds until the order at `position` (1 is next) is ready.

        Each of n baristas serves every n-th order, so the order is in round number
        ceil(position / n): those who hold a claim or wait, and at least the last to finish. None
        while no brewing time is known.
        """
        if self.brewing_seconds is None:
            return None
        baristas = max(1, len(self.leases) + idle_baristas)
        return ceil(position / baristas) * self.brewing_seconds

    def live(self) -> list[Order]:
        """Return the orders that wait or are in preparation, oldest first."""
        return [self.orders[order_id] for _, order_id in sorted(self.queue + self._claimed)]

    def page(self, behind: int, most: int, barista: str | None = None) -> list[Order]:
        """Return up to `most` of these, after a number; only those that `barista` has, if given."""
        found: list[Ticket] = []
        claimed = self._claimed if barista is None else self._claimed_by.get(barista, [])
        for tickets in (claimed, self.queue if barista is None else []):
            start = bisect_left(tickets, (behind + 1, ""))
            found += tickets[start : start + most]
        return [self.orders[order_id] for _, order_id in sorted(found)[:most]]

    def ready(self) -> list[Order]:
        """Return the orders in memory that are ready and not handed over."""
        ended = map(self.orders.__getitem__, self._recent)
        return [order for order in ended if order.status is Status.READY]

    def is_claimed(self, claimed: Order) -> bool:
        """Return whether the claim in this former state of an order still holds."""
        order = self.orders.get(claimed.order_id)
        return (
            order is not None
            and order.status is Status.PREPARATION
            and order.started_at == claimed.started_at
        )

    def is_live(self, order_id: str) -> bool:
        """Return whether an order is in memory, and has not ended."""
        order = self.orders.get(order_id)
        return order is not None and not order.ended

    def claimed_by(self, claim: str) -> Order | None:
        """Return the order of a claim that still holds."""
        order_id = self._claims.get(claim)
        return None if order_id is None else self.orders[order_id]

    def next_expiry(self) -> float | None:
        """Return the time at which the next lease runs out."""
        return min(self.leases.values(), default=None)

    # Loading from the ledger

    def resume(
        self,
        live: Iterable[Order],
        recent: Iterable[Order],
        last_number: int,
        brewing_seconds: Iterable[float],
        now: float,
    ) -> None:
        """Load the orders of the ledger: those that have not ended, and those that ended last."""
        for order in recent:
            self.remember(order)
            self._recent[order.order_id] = 0
        for order in live:
            self._enter(self._with_a_lease(order, now))
            self._remember_key(order)
        self._last_number = last_number
        for seconds in brewing_seconds:
            self._observe(seconds)

    def remember(self, order: Order) -> None:
        """Add an order that has ended, unless it is known."""
        if order.ended and order.order_id not in self.orders:
            self._by_status[order.status] += 1
            self.orders[order.order_id] = order
            if order.is_found_by_key:
                self._remember_key(order)

    def keep_recent(self, order_id: str, written: int, committed: int) -> None:
        """Record the count of entries at an ended order's change; forget the oldest if too many.

        One whose last change is not among the `committed` entries is kept.
        """
        self._recent.pop(order_id, None)
        self._recent[order_id] = written
        while len(self._recent) > self._most_recent:
            oldest, written = next(iter(self._recent.items()))
            if written > committed:
                return
            self.forget(oldest)

    def forget(self, order_id: str) -> None:
        """Drop an ended order from memory; the ledger has it."""
        self._recent.pop(order_id, None)
        order = self.orders[order_id]
        self._forget_key(order)
        del self.orders[order_id]
        self._by_status[order.status] -= 1

    # Changing

    def place(  # noqa: PLR0917 - a ticket is written from left to right
        self,
        order_id: str,
        drink: str,
        name: str | None,
        address: str,
        key: str | None,
        now: float,
        *,
        bound: bool = True,
        basket: Basket | None = None,
        destination: Destination | None = None,
    ) -> Change:
        """Put a new order at the end of the queue. One with a key can be collected later."""
        self._last_number += 1
        bound = bound and key is None and basket is None
        order = Order(
            order_id, self._last_number, drink, name, address, now, key, bound, basket=basket
        )
        if destination is not None:
            order = order._replace(destination=destination)
        self._enter(order)
        if key is not None:
            self._remember_key(order)
        return Change(Action.PLACE, None, order, now)

    def publish(
        self, order_id: str, name: str, destination: Destination, now: float, by: str | None = None
    ) -> Change:
        """Add a new order that needs no brewing: it is ready at once, for a courier to bring it."""
        self._last_number += 1
        order = Order(
            order_id,
            self._last_number,
            name,
            None,
            NO_ADDRESS,
            now,
            bound=False,
            status=Status.READY,
            ended_at=now,
            destination=destination,
        )
        self._enter(order)
        return Change(Action.PUBLISH, None, order, now, by)

    def start(self, barista: str | None, now: float, claim: str | None = None) -> Change:
        """Claim the oldest waiting order for `barista`; raises IndexError if none waits."""
        return self.start_this(self.queue[0][1], barista, now, claim)

    def start_this(
        self,
        order_id: str,
        barista: str | None,
        now: float,
        claim: str | None = None,
        lease_seconds: float = 0.0,
    ) -> Change:
        """Claim a waiting order, for `lease_seconds` if that is longer than the usual lease.

        Raises UnknownOrderError, or NotAllowedError if it does not wait.
        """
        expiry = now + max(lease_seconds, self._lease_seconds)
        return self._move(
            order_id,
            Action.START,
            now,
            barista=barista,
            claim=claim,
            started_at=now,
            lease_expires_at=expiry,
        )

    def finish(self, order_id: str, now: float) -> Change | None:
        """Declare an order ready; return None if it is ready already.

        A finish after the lease expired still counts.
        Raises UnknownOrderError, or NotAllowedError if it was never started or is cancelled.
        """
        order = self.find(order_id)
        if order.status in BREWED:
            return None
        late = order.lapsed and order.status is Status.WAITING
        return self._finish(order_id, Action.FINISH_LATE if late else Action.FINISH, now)

    def release(self, order_id: str, now: float, reason: str | None = None) -> list[Change]:
        """Put a claimed order back in its old place, or cancel it if it was abandoned."""
        return self._requeue(order_id, Action.RELEASE, now, reason=reason)

    def expire(self, now: float) -> list[list[Change]]:
        """Put back every order whose lease has expired; return a list of changes for each."""
        due = [order_id for order_id, expiry in self.leases.items() if expiry <= now]
        return [self._requeue(order_id, Action.EXPIRE, now, lapsed=True) for order_id in due]

    def hand_over(self, order_id: str, now: float, by: str | None = None) -> Change:
        """Record that the customer received it; `by` names who handed it over."""
        change = self._move(order_id, Action.HAND_OVER, now)
        return change if by is None else change._replace(by=by)

    def call_off(
        self, order_id: str, now: float, by: str | None = None, reason: str | None = None
    ) -> Change:
        """Cancel a ready order that no courier will bring; clear its barista and claim."""
        change = self._move(order_id, Action.CALL_OFF, now, reason, **_UNHELD)
        return change if by is None else change._replace(by=by)

    def step(
        self, order_id: str, by: str | None, now: float, *, lease_seconds: float = 0.0
    ) -> Change:
        """Start, finish or hand over an order, whichever is next; `by` is the one who does it.

        Raises UnknownOrderError, or NotAllowedError if it has been handed over or is cancelled.
        """
        status = self.find(order_id).status
        if status is Status.WAITING:
            return self.start_this(order_id, by, now, lease_seconds=lease_seconds)
        if status is Status.PREPARATION:
            change = self._finish(order_id, Action.FINISH, now)
        else:
            change = self.hand_over(order_id, now)
        return change if by is None else change._replace(by=by)

    def cancel(self, order_id: str, now: float, by: str | None = None) -> Change | None:
        """Cancel a waiting order; None if it is cancelled already. `by` names staff who do it.

        Raises UnknownOrderError, or NotAllowedError once it is in preparation or later.
        """
        if self.find(order_id).status is Status.CANCELLED:
            return None
        change = self._move(order_id, Action.CANCEL, now, ended_at=now)
        return change if by is None else change._replace(by=by)

    def unbind(self, order_id: str, now: float) -> Change | None:
        """Unbind the order from its connection, so that it can be collected later.

        None if it is unbound already, or has ended.
        """
        order = self.find(order_id)
        if not order.bound or order.ended:
            return None
        return self._move(order_id, Action.UNBIND, now, bound=False)

    def abandon(self, order_id: str, now: float, reason: str | None = None) -> Change | None:
        """Record that the connection of a bound order is closed.

        A waiting order is cancelled. One in preparation is marked: it is cancelled if it comes
        back, else finished and not collected.
        """
        order = self.find(order_id)
        if not order.bound or order.ended or order.abandoned:
            return None
        if order.status is Status.WAITING:
            return self._move(order_id, Action.ABANDON, now, reason, ended_at=now)
        return self._move(order_id, Action.ABANDON, now, reason, abandoned=True)

    def withdraw(self, order_id: str, now: float, reason: str) -> Change | None:
        """Cancel an order whose id was never delivered; None if there is nothing to do.

        One in preparation is marked, to be cancelled if it comes back; but not one with a key,
        whose customer can still ask for it.
        """
        order = self.orders.get(order_id)
        if order is None or order.ended or order.abandoned:
            return None
        if order.status is Status.WAITING:
            return self._move(order_id, Action.ABANDON, now, reason, ended_at=now)
        if order.key is None:
            return self._move(order_id, Action.ABANDON, now, reason, abandoned=True)
        return None

    def cut_off(self, address: str, now: float) -> list[Change]:
        """Cancel every waiting order of a banned address, except prepaid ones."""
        waiting = [self.orders[order_id] for _, order_id in self.queue]
        theirs = [order for order in waiting if order.address == address and not order.prepaid]
        return [self._move(one.order_id, Action.CUT_OFF, now, ended_at=now) for one in theirs]

    # The one way from one place to another

    def _finish(self, order_id: str, action: Action, now: float) -> Change:
        change = self._move(order_id, action, now, ended_at=now)
        self._observe(change.order.brewed_seconds)
        return change

    def _requeue(self, order_id: str, action: Action, now: float, **changes: Any) -> list[Change]:
        back = self._move(order_id, action, now, **_UNHELD, **changes)
        if not back.order.abandoned:
            return [back]
        return [back, self._move(order_id, Action.ABANDON, now, ended_at=now)]

    def _move(
        self, order_id: str, action: Action, now: float, reason: str | None = None, **changes: Any
    ) -> Change:
        before = self.find(order_id)
        after = before.after(action, **changes)
        if after.status is before.status:
            self.orders[order_id] = after
        else:
            self._leave(before)
            self._enter(after)
        by = (after.barista or before.barista) if action in BARISTAS_DO else None
        return Change(action, before.status, after, now, by, reason)

    def _leave(self, order: Order) -> None:
        self._by_status[order.status] -= 1
        ticket = order.number, order.order_id
        if order.status is Status.WAITING:
            del self.queue[bisect_left(self.queue, ticket)]
            self.waiting_from[order.address] -= 1
            if not self.waiting_from[order.address]:
                del self.waiting_from[order.address]
        elif order.status is Status.PREPARATION:
            del self.leases[order.order_id]
            del self._claimed[bisect_left(self._claimed, ticket)]
            if order.claim is not None:
                self._claims.pop(order.claim, None)
            if order.barista is not None:
                theirs = self._claimed_by[order.barista]
                del theirs[bisect_left(theirs, ticket)]
                if not theirs:
                    del self._claimed_by[order.barista]

    def _enter(self, order: Order) -> None:
        self.orders[order.order_id] = order
        self._by_status[order.status] += 1
        ticket = order.number, order.order_id
        if order.status is Status.WAITING:
            insort(self.queue, ticket)
            self.waiting_from[order.address] += 1
        elif not order.is_found_by_key:
            self._forget_key(order)
        elif order.status is Status.PREPARATION and order.lease_expires_at is not None:
            self.leases[order.order_id] = order.lease_expires_at
            insort(self._claimed, ticket)
            if order.claim is not None:
                self._claims[order.claim] = order.order_id
            if order.barista is not None:
                insort(self._claimed_by.setdefault(order.barista, []), ticket)

    def _observe(self, seconds: float) -> None:
        """Update the mean with the brewing time of one coffee."""
        mean = self.brewing_seconds
        weighted = seconds if mean is None else mean + WEIGHT_OF_NEWEST * (seconds - mean)
        self.brewing_seconds = weighted

    def _remember_key(self, order: Order) -> None:
        """Map an order's key, if it has one, to the order, unless a newer order has used it."""
        if order.key is not None:
            known = self._keys.get((order.scope, order.key))
            if known is None or self.orders[known].number < order.number:
                self._keys[order.scope, order.key] = order.order_id

    def _forget_key(self, order: Order) -> None:
        """Remove an order's key, unless another order has taken it."""
        if order.key is not None and self._keys.get((order.scope, order.key)) == order.order_id:
            del self._keys[order.scope, order.key]

    def _with_a_lease(self, order: Order, now: float) -> Order:
        """Return the order with a lease from now on, if it was claimed far in the future."""
        if order.started_at is None or order.lease_expires_at is None:
            return order
        if order.started_at <= now + CLOCK_AHEAD:
            return order
        return order._replace(lease_expires_at=now + self._lease_seconds)
