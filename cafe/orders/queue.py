"""The order book: every order there is, and which is next.

Rule: pure, and the oldest first, always. A barista gets the lowest ticket number that waits; an
order that comes back (released, lease expired) returns to its old place.

Theory of operation. An order is in exactly one place: in the queue (`waiting`), under a lease
(`preparation`) or among the ended ones, until it is forgotten (the ledger still has it). `_move`
is the only way from one to another, so that places and counts cannot disagree. A method that
changes an order returns the `Change`s that it made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any

from cafe.orders.indexes import Hands, Keys, Tickets
from cafe.orders.order import Action, Change, Order, Status

WEIGHT_OF_NEWEST = 0.1
"""Of an exponentially weighted mean: about the last twenty coffees count."""


@dataclass(slots=True)
class BrewingTime:
    """A running mean of brewing times, in seconds."""

    mean: float | None = None

    def observe(self, seconds: float) -> None:
        """Take in how long one coffee took."""
        if self.mean is None:
            self.mean = seconds
        else:
            self.mean += WEIGHT_OF_NEWEST * (seconds - self.mean)

    def eta_seconds(self, position: int, baristas: int) -> float | None:
        """Estimate the seconds until the order at `position` (1 is next) is ready.

        Each barista serves every `baristas`-th order, so the order is in round number
        ceil(position / baristas). None without a known brewing time or without baristas.
        """
        if self.mean is None or baristas < 1:
            return None
        return ceil(position / baristas) * self.mean

    def remaining_seconds(self, brewed_so_far: float) -> float | None:
        """Estimate the seconds that a coffee still takes which has been brewed for some."""
        return None if self.mean is None else max(0.0, self.mean - brewed_so_far)


CLOCK_AHEAD = 300.0
"""Seconds that an order may have been claimed in the future before the clock counts as wrong: as
much as the ledger lets its last event be ahead. A test holds the two equal."""
BARISTAS_DO = frozenset({Action.START, Action.FINISH, Action.FINISH_LATE, Action.RELEASE})


class UnknownOrderError(Exception):
    """There is no such order, or it is forgotten."""


class OrderBook:
    """All orders, live and recently ended; times are seconds since the epoch."""

    def __init__(self, *, lease_seconds: float, key_ttl_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._last_number = 0
        self._live: dict[str, Order] = {}
        self._row = Tickets()  # all that have not ended
        self._queue = Tickets()
        self._in_hand = Hands()
        self._leases: dict[str, float] = {}
        self._key_ttl_seconds = key_ttl_seconds
        self._claims: dict[str, str] = {}  # by the claim's id, while the claim holds
        self._ended: dict[str, Order] = {}
        self._keys = Keys()
        self._waiting_by_address: Counter[str] = Counter()
        self._by_status: Counter[Status] = Counter()
        self.brewing = BrewingTime()

    # Looking

    @property
    def waiting(self) -> int:
        """Return the length of the queue."""
        return len(self._queue)

    @property
    def preparing(self) -> int:
        """Return the number of claimed orders."""
        return len(self._leases)

    @property
    def by_status(self) -> dict[Status, int]:
        """Count the orders in memory, by status."""
        return {status: self._by_status[status] for status in Status}

    def waiting_from(self, address: str) -> int:
        """Count the orders that wait for customers of one address."""
        return self._waiting_by_address[address]

    def find(self, order_id: str) -> Order:
        """Return the order as it stands; raises UnknownOrderError."""
        order = self._live.get(order_id) or self._ended.get(order_id)
        if order is None:
            raise UnknownOrderError(order_id)
        return order

    def find_by_key(self, address: str, key: str, now: float) -> Order | None:
        """Return the order that this address placed with this Idempotency-Key, while it holds."""
        order_id = self._keys.find(address, key)
        if order_id is None:
            return None
        order = self.find(order_id)
        if order.ended and order.placed_at + self._key_ttl_seconds <= now:
            self._keys.forget(order)
            return None
        return order

    def position(self, order: Order) -> int | None:
        """Return 1 for the next to be started; None for an order that does not wait."""
        if order.status is not Status.WAITING:
            return None
        return self._queue.position(order)

    def live(self) -> list[Order]:
        """Return all that wait or are being prepared, oldest first."""
        return [self._live[order_id] for order_id in self._row]

    def page(self, behind: int, most: int, barista: str | None = None) -> list[Order]:
        """Return up to `most` of these with the next numbers; or of those that a barista has."""
        row = self._row if barista is None else self._in_hand.of(barista)
        return [self._live[order_id] for order_id in row.behind(behind, most)]

    def is_claimed(self, claimed: Order) -> bool:
        """Return whether the claim that made an order this still holds."""
        order = self._live.get(claimed.order_id)
        return (
            order is not None
            and order.status is Status.PREPARATION
            and order.started_at == claimed.started_at
        )

    def claimed_by(self, claim: str) -> Order | None:
        """Return the order of a claim that still holds."""
        order_id = self._claims.get(claim)
        return None if order_id is None else self._live[order_id]

    @property
    def first_number(self) -> int | None:
        """Return the ticket number of the oldest waiting order."""
        return self._queue.first()[0] if self._queue else None

    def next_expiry(self) -> float | None:
        """Return the time at which the next lease runs out."""
        return min(self._leases.values(), default=None)

    # Loading from the ledger

    def resume(
        self,
        live: Iterable[Order],
        recent: Iterable[Order],
        last_number: int,
        brewing_seconds: Iterable[float],
        now: float,
    ) -> None:
        """Load what the ledger has: orders that have not ended, and those that ended last."""
        for order in recent:
            self.remember(order)
        for order in live:
            self._enter(self._with_a_lease(order, now))
            self._keys.remember(order)
        self._last_number = last_number
        for seconds in brewing_seconds:
            self.brewing.observe(seconds)

    def remember(self, order: Order) -> None:
        """Add an order that has ended, unless it is known."""
        if order.ended and not self.knows(order.order_id):
            self._by_status[order.status] += 1
            self._ended[order.order_id] = order
            if order.status is not Status.CANCELLED:
                self._keys.remember(order)

    def forget(self, order_id: str) -> None:
        """Drop an ended order from memory; the ledger has it."""
        order = self._ended.pop(order_id)
        self._by_status[order.status] -= 1
        self._keys.forget(order)

    def knows(self, order_id: str) -> bool:
        """Return whether an order is in memory."""
        return order_id in self._live or order_id in self._ended

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
    ) -> Change:
        """Put a new order at the end of the queue. One with a key can be collected later."""
        self._last_number += 1
        bound = bound and key is None
        order = Order(order_id, self._last_number, drink, name, address, now, key, bound)
        self._keys.remember(order)
        self._enter(order)
        return Change(Action.PLACE, None, order, now)

    def start(self, barista: str | None, now: float, claim: str | None = None) -> Change:
        """Claim the oldest waiting order for `barista`; raises IndexError where none waits."""
        _, order_id = self._queue.first()
        expiry = now + self._lease_seconds
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
        """Declare an order ready; None if it is already.

        A finish after the lease expired still counts.
        Raises UnknownOrderError, or NotAllowedError where it was never started or is cancelled.
        """
        order = self.find(order_id)
        if order.status in {Status.READY, Status.DELIVERED}:
            return None
        late = order.lapsed and order.status is Status.WAITING
        action = Action.FINISH_LATE if late else Action.FINISH
        change = self._move(order_id, action, now, ended_at=now)
        self.brewing.observe(change.order.brewed_seconds)
        return change

    def release(self, order_id: str, now: float, reason: str | None = None) -> list[Change]:
        """Put a claimed order back in its old place, or cancel it if it was abandoned."""
        return self._give_back(order_id, Action.RELEASE, now, reason=reason)

    def expire(self, now: float) -> list[list[Change]]:
        """Put back every order whose lease has expired; return a list of changes for each."""
        due = [order_id for order_id, expiry in self._leases.items() if expiry <= now]
        return [self._give_back(order_id, Action.EXPIRE, now, lapsed=True) for order_id in due]

    def hand_over(self, order_id: str, now: float) -> Change:
        """Record that the customer was given it."""
        return self._move(order_id, Action.HAND_OVER, now)

    def cancel(self, order_id: str, now: float) -> Change | None:
        """Cancel a waiting order for its customer; None if it is cancelled already.

        Raises UnknownOrderError, or NotAllowedError once it is in preparation or later.
        """
        if self.find(order_id).status is Status.CANCELLED:
            return None
        return self._move(order_id, Action.CANCEL, now, ended_at=now)

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
        order = self._live.get(order_id)
        if order is None or order.abandoned:
            return None
        if order.status is Status.WAITING:
            return self._move(order_id, Action.ABANDON, now, reason, ended_at=now)
        if order.key is None:
            return self._move(order_id, Action.ABANDON, now, reason, abandoned=True)
        return None

    def cut_off(self, address: str, now: float) -> list[Change]:
        """Cancel every waiting order of a banned address."""
        waiting = [order_id for order_id in self._queue if self._live[order_id].address == address]
        return [self._move(order_id, Action.CUT_OFF, now, ended_at=now) for order_id in waiting]

    # The one way from one place to another

    def _give_back(self, order_id: str, action: Action, now: float, **changes: Any) -> list[Change]:
        changes.update(barista=None, claim=None, lease_expires_at=None)
        back = self._move(order_id, action, now, **changes)
        if not back.order.abandoned:
            return [back]
        return [back, self._move(order_id, Action.ABANDON, now, ended_at=now)]

    def _move(
        self, order_id: str, action: Action, now: float, reason: str | None = None, **changes: Any
    ) -> Change:
        before = self.find(order_id)
        after = before.after(action, **changes)
        if after.status is before.status:
            self._live[order_id] = after
        else:
            self._leave(before)
            self._enter(after)
        by = (after.barista or before.barista) if action in BARISTAS_DO else None
        return Change(action, before.status, after, now, by, reason)

    def _leave(self, order: Order) -> None:
        self._by_status[order.status] -= 1
        if order.status is Status.WAITING:
            self._queue.remove(order)
            self._waiting_by_address[order.address] -= 1
            if not self._waiting_by_address[order.address]:
                del self._waiting_by_address[order.address]
        elif order.status is Status.PREPARATION:
            del self._leases[order.order_id]
            self._in_hand.remove(order)
            if order.claim is not None:
                self._claims.pop(order.claim, None)

    def _enter(self, order: Order) -> None:
        self._by_status[order.status] += 1
        if order.ended:
            self._end(order)
            return
        if order.order_id not in self._live:
            self._row.add(order)
        self._live[order.order_id] = order
        if order.status is Status.WAITING:
            self._queue.add(order)
            self._waiting_by_address[order.address] += 1
        elif order.lease_expires_at is not None:
            self._leases[order.order_id] = order.lease_expires_at
            self._in_hand.add(order)
            if order.claim is not None:
                self._claims[order.claim] = order.order_id

    def _end(self, order: Order) -> None:
        if self._live.pop(order.order_id, None) is not None:
            self._row.remove(order)
        self._ended[order.order_id] = order
        if order.status is Status.CANCELLED:
            self._keys.forget(order)

    def _with_a_lease(self, order: Order, now: float) -> Order:
        """Return the order with a lease from now on, if it was claimed far in the future."""
        if order.started_at is None or order.lease_expires_at is None:
            return order
        if order.started_at <= now + CLOCK_AHEAD:
            return order
        return order._replace(lease_expires_at=now + self._lease_seconds)
