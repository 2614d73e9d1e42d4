"""Orders' lives as records, told in one line each."""

from __future__ import annotations

from cafe.ledger.errors import LedgerError
from cafe.ledger.records import EventRow, OrderRow, Record
from cafe.ledger.store import Store

NOON = 1_767_000_000.0


class Writer:
    """Numbers what happens, as the Dispatcher does."""

    def __init__(self, sequence: int = 0, number: int = 0) -> None:
        self.sequence = sequence
        self.number = number

    def place(self, order_id: str, *, key: str | None = None, at: float = NOON) -> Record:
        self.number += 1
        order = OrderRow(
            order_id=order_id,
            number=self.number,
            drink="americano",
            name="Zoë",
            address="203.0.113.7",
            placed_at=at,
            key=key,
            bound=key is None,
            abandoned=False,
            status="waiting",
            barista=None,
            started_at=None,
            lease_expires_at=None,
            lapsed=False,
            ended_at=None,
        )
        return self._note("place", None, order, at)

    def start(self, order: OrderRow, *, at: float = NOON + 5) -> Record:
        changed = order._replace(
            status="preparation", barista="Bo", started_at=at, lease_expires_at=at + 180
        )
        return self._note("start", order, changed, at, by="Bo")

    def finish(self, order: OrderRow, *, at: float = NOON + 45) -> Record:
        changed = order._replace(status="ready", lease_expires_at=None, ended_at=at)
        return self._note("finish", order, changed, at, by="Bo")

    def hand_over(self, order: OrderRow, *, at: float = NOON + 45) -> Record:
        return self._note("hand over", order, order._replace(status="delivered"), at)

    def cancel(self, order: OrderRow, *, at: float = NOON + 9) -> Record:
        changed = order._replace(status="cancelled", ended_at=at)
        return self._note("cancel", order, changed, at, reason="changed his mind")

    def life(self, order_id: str, *, key: str | None = None, brewed: float = 40.0) -> list[Record]:
        """Give a whole life, from the order to the hand-over."""
        placed = self.place(order_id, key=key)
        started = self.start(placed.order)
        finished = self.finish(started.order, at=NOON + 5 + brewed)
        return [placed, started, finished, self.hand_over(finished.order)]

    def _note(
        self,
        action: str,
        before: OrderRow | None,
        order: OrderRow,
        at: float,
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> Record:
        self.sequence += 1
        status = None if before is None else before.status
        event = EventRow(
            self.sequence, order.order_id, action, status, order.status, at, by, reason
        )
        return Record(event, order)


def failure_of(store: Store, epoch: int, records: list[Record]) -> LedgerError:
    """Give what a commit raises."""
    try:
        store.commit(epoch, records)
    except LedgerError as error:
        return error
    raise AssertionError("the commit went well")
