"""Which orders are held at which fronts, because a customer waits there to collect the coffee.

Rule: pure. A front numbers its holds; so leaving an order ends the holds made before, and not
a later one, in whichever sequence the two arrive. Two fronts may hold the same order, if it has an
Idempotency-Key.
"""

from __future__ import annotations

from collections.abc import Callable


class Holdings:
    """All holds of all fronts; they outlive a crash of the Dispatcher."""

    def __init__(self) -> None:
        """Begin without holds."""
        self._of_order: dict[str, set[tuple[str, int]]] = {}
        """The fronts and the numbers of their holds, by order."""
        self._of_front: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Return how many orders are held."""
        return len(self._of_order)

    def is_held(self, order_id: str) -> bool:
        """Return whether a customer waits for an order at any front."""
        return order_id in self._of_order

    def hold(self, order_id: str, front: str, number: int) -> None:
        """Add a hold: a customer waits for an order at a front."""
        self._of_order.setdefault(order_id, set()).add((front, number))
        self._of_front.setdefault(front, set()).add(order_id)

    def drop(self, order_id: str, front: str, number: int) -> None:
        """End one hold, which its front never learned of."""
        self._keep(order_id, lambda hold: hold != (front, number))

    def leave(self, order_id: str, front: str, through: int) -> None:
        """End a front's holds of an order up to this number."""
        self._keep(order_id, lambda hold: hold[0] != front or hold[1] > through)

    def leave_all(self, front: str) -> list[str]:
        """End all holds of a front; return the ids of their orders, sorted."""
        left = sorted(self._of_front.get(front, ()))
        for order_id in left:
            self._keep(order_id, lambda hold: hold[0] != front)
        return left

    def end(self, order_id: str) -> bool:
        """End all holds of an order that has ended; return whether there were any."""
        was_held = order_id in self._of_order
        self._keep(order_id, lambda _hold: False)
        return was_held

    def keep(self, lives: Callable[[str], bool]) -> None:
        """End the holds of all orders that do not live: their end may have been missed."""
        for order_id in [one for one in self._of_order if not lives(one)]:
            self.end(order_id)

    def _keep(self, order_id: str, stays: Callable[[tuple[str, int]], bool]) -> None:
        holds = self._of_order.get(order_id)
        if holds is None:
            return
        left = {hold for hold in holds if stays(hold)}
        for front in {front for front, _ in holds} - {front for front, _ in left}:
            of_front = self._of_front[front]
            of_front.discard(order_id)
            if not of_front:
                del self._of_front[front]
        if left:
            self._of_order[order_id] = left
        else:
            del self._of_order[order_id]
