"""A front's ref of the Dispatcher: it asks over the bus, and ends waits for orders by the log.

Rule: the end of an order is never missed. The front follows an order from before it asks about it,
so the order either has ended in the house's answer, or ends in a later event. After missed events
or a fail-over, the front asks again about all orders that its clients wait for.

Theory of operation. The house holds the orders that customers wait for here, so that it hands each
over as it is finished. `PlaceOrder` and `HoldOrders` make holds; `LeaveOrder` ends them. Holds and
leaves are numbered, since the bus may reorder them: a leave ends only the holds before it. If a
client disconnects while its ask is under way, the front leaves the order when the answer arrives.
If the house did not know that a customer waits here (it has just taken over), the order becomes
ready without being handed over: then the front asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, NoReturn, TypeVar, cast

import structlog
import trio

from actors import ActorError, MailboxFull, Message
from actors.errors import copy_error
from actors.message import Question
from cafe.bus.following_ledger import FollowingLedger
from cafe.bus.house_client import HouseClient
from cafe.bus.ref import BusRef
from cafe.http.refusals import CafeRefusal, Closing, ShopClosing
from cafe.ledger.department import Logged
from cafe.ledger.parts import in_parts
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.front_waits import Wait, Waits, answer_of
from cafe.orders.messages import (
    AwaitOrder,
    CheckRoom,
    Claim,
    FindOrder,
    FindOrders,
    HangUp,
    HoldOrders,
    LeaveFront,
    LeaveOrder,
    PlaceOrder,
    PublishOrder,
    ReleaseOrder,
    Standing,
    StartOrder,
)
from cafe.orders.refusals import UnknownOrder

R = TypeVar("R")

AT_ONCE: Final = 500
"""The most orders that one message asks the Dispatcher about."""
RETRY_SECONDS: Final = 0.5
"""The time between attempts to ask about orders again."""
REFUSED_WHEN_CLOSING: Final = (PlaceOrder, StartOrder, AwaitOrder, CheckRoom, PublishOrder)

log: structlog.stdlib.BoundLogger = structlog.get_logger("order")


class DispatcherAtFront(BusRef[Dispatcher]):
    """A ref of the house's Dispatcher; it needs a task for `run`, and `close` ends all waits."""

    def __init__(
        self, house: HouseClient, ledger: FollowingLedger, closing: Closing, ban_seconds: float
    ) -> None:
        """Ask the house and follow its ledger; refuses new requests once `closing` began."""
        super().__init__(house, Dispatcher, Dispatcher.__name__)
        self._front = house.front
        self._closing = closing
        self._waits = Waits(ban_seconds)
        self._baristas: set[trio.CancelScope] = set()
        """The scopes of baristas that wait for an order."""
        self._number = 0
        self._doubts = 0
        """How often events may have been missed."""
        self._due: dict[str, None] = {}
        """Orders that the house has to be asked about again."""
        self._untold: list[LeaveOrder] = []
        self._bell = trio.Event()
        ledger.listen(self._hear)
        ledger.on_gap(self.doubt)
        house.on_new_house(self.doubt)

    @property
    def waiting(self) -> int:
        """How many orders clients of this front wait for."""
        return len(self._waits)

    async def ask(self, message: Question[Dispatcher, R]) -> R:
        """Ask as a BusRef does; a wait for an order ends as the Dispatcher's answer would."""
        given: Any = message
        if isinstance(given, REFUSED_WHEN_CLOSING):
            if self._closing.refusal is not None:
                await self._refuse(given)
            if isinstance(given, PlaceOrder):
                return cast("R", await self._place(given))
            if isinstance(given, AwaitOrder):
                return cast("R", await self._wait(given))
            if isinstance(given, StartOrder):
                return cast("R", await self._start(given))
        return await super().ask(message)

    def tell_nowait(self, message: Message[Dispatcher, Any]) -> None:
        """Tell as a BusRef does; a HangUp also ends the hold of its order at this front."""
        if isinstance(message, HangUp):
            wait = self._waits.find(message.order_id)
            if wait is not None:
                wait.is_held = False
                self._waits.tidy(message.order_id, wait)
        super().tell_nowait(message)

    async def doubt(self) -> None:
        """Schedule a question about each order that is waited for: events may have been missed."""
        self._doubts += 1
        self._due.update((order_id, None) for order_id, wait in self._waits if wait.is_waited_for)
        self._bell.set()

    async def run(self) -> NoReturn:
        """Ask again about the orders that are due; never returns, and retries through outages."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            due, self._due = list(self._due), {}
            for part in in_parts(due, AT_ONCE):
                try:
                    await self._look_again(part)
                except (ActorError, CafeRefusal) as no:
                    log.warning("waits are asked about again", orders=len(part), why=str(no))
                    self._due.update(dict.fromkeys(part))
            untold, self._untold = self._untold, []
            for message in untold:
                self._tell(message)
            if self._due or self._untold:
                await trio.sleep(RETRY_SECONDS)
                self._bell.set()

    async def close(self) -> Mapping[str, int]:
        """Refuse all waiting clients, since this front is closing, and leave their orders."""
        answered = 0
        for _order_id, wait in self._waits:
            if not wait.done.is_set():
                answered += wait.collecting
                wait.end_all(self._refusal)
        for scope in self._baristas:
            scope.cancel()
        with suppress(ActorError, CafeRefusal):
            await super().ask(LeaveFront(self._front))
        return {"customers_answered": answered}

    # Customers

    async def _place(self, message: PlaceOrder) -> Standing:
        if not message.bound:  # the customer does not wait here
            late = self._hang_up if message.key is None else None
            return await self.ask_late(message, late)
        order_id, doubts = message.order_id, self._doubts
        wait = self._waits.join(order_id)
        wait.placing += 1
        try:
            sent = replace(message, front=self._front, hold=self._next_number())
            late = self._hang_up if message.key is None else self._leave_unless_awaited
            standing = await self.ask_late(sent, late)
            order = standing.order
            # A different order was not followed before the ask, so its end may have been missed.
            is_same = order.order_id == order_id and doubts == self._doubts
            wait.is_held = is_same and not order.ended
        except (ActorError, CafeRefusal):
            if message.key is not None:  # else the order is placed again, or a HangUp cancels it
                self._leave(order_id, hangs_up=False)
            raise
        finally:
            wait.placing -= 1
            self._waits.tidy(order_id, wait)
        return standing

    async def _wait(self, message: AwaitOrder) -> Standing:
        order_id, collects = message.order_id, message.collects
        wait = self._waits.join(order_id)
        is_held = wait.is_held and collects
        wait.is_held = wait.is_held and not collects
        wait.collecting += collects
        wait.looking += not collects
        has_ended = hangs_up = False
        try:
            if not is_held:
                standing = await self._look(wait, message)
                if standing.order.ended:
                    has_ended = True
                    return answer_of(standing, collects=collects)
            await wait.done.wait()
            return self._answer(wait, collects=collects)
        except UnknownOrder:
            has_ended = True
            raise
        except trio.Cancelled:
            hangs_up = not message.timed
            raise
        finally:
            wait.collecting -= collects
            wait.looking -= not collects
            has_ended = has_ended or wait.done.is_set()
            if collects and not has_ended and not self._waits.is_collected(order_id):
                self._leave(order_id, hangs_up=hangs_up)
            self._waits.tidy(order_id, wait)

    def _answer(self, wait: Wait, *, collects: bool) -> Standing:
        if wait.result is None and self._closing.refusal is not None and not collects:
            raise UnknownOrder  # the caller looks it up again, as for a forgotten order
        return wait.answer(collects=collects)

    async def _look(self, wait: Wait, message: AwaitOrder) -> Standing:
        """Return the standing of an order that is followed already; hold it for a customer."""
        order_id = message.order_id
        if message.collects:
            found = await self._hold((order_id,))
            if order_id not in found:
                raise UnknownOrder
            standing = found[order_id]
        else:
            standing = await super().ask(FindOrder(order_id))
        _note(wait, standing)
        return standing

    async def _hold(self, order_ids: Sequence[str]) -> dict[str, Standing]:
        message = HoldOrders(self._front, tuple(order_ids), self._next_number())
        return await self.ask_late(message, self._leave_those_not_awaited)

    async def _look_again(self, order_ids: Sequence[str]) -> None:
        """End the waits for orders that have ended, or that are unknown; hold the others."""
        collected = [one for one in order_ids if self._waits.is_collected(one)]
        looked_at = [one for one in order_ids if one not in set(collected)]
        if collected:
            held = await self._hold(collected)
            self._leave_those_not_awaited(held)
            self._settle(collected, held)
        if looked_at:
            self._settle(looked_at, await super().ask(FindOrders(tuple(looked_at))))

    def _settle(self, order_ids: Sequence[str], found: Mapping[str, Standing]) -> None:
        for order_id in order_ids:
            wait, standing = self._waits.find(order_id), found.get(order_id)
            if wait is None or wait.done.is_set() or not wait.is_waited_for:
                continue
            if standing is None:
                wait.end_all(UnknownOrder)
            elif standing.order.ended:
                wait.end(standing)
            else:
                _note(wait, standing)

    def _hear(self, logged: Sequence[Logged]) -> None:
        """End waits by committed events; a callback for `listen`."""
        unclear = self._waits.hear(logged)
        if unclear:
            self._doubts += 1  # an order that is being placed is asked about after that answer
            self._due.update(dict.fromkeys(unclear))
            self._bell.set()

    # Orders whose client has disconnected

    def _hang_up(self, placed: Standing) -> None:
        with suppress(MailboxFull):  # then the periodic check abandons it
            super().tell_nowait(HangUp(placed.order.order_id))

    def _leave_unless_awaited(self, placed: Standing) -> None:
        if not placed.order.ended and not self._waits.is_collected(placed.order.order_id):
            self._leave(placed.order.order_id, hangs_up=False)

    def _leave_those_not_awaited(self, held: Mapping[str, Standing]) -> None:
        for standing in held.values():
            self._leave_unless_awaited(standing)

    def _leave(self, order_id: str, *, hangs_up: bool) -> None:
        self._tell(LeaveOrder(self._front, order_id, self._next_number(), hangs_up))

    def _tell(self, message: LeaveOrder) -> None:
        try:
            super().tell_nowait(message)
        except MailboxFull:
            # Sent later: as long as the house holds an order, no periodic check abandons it.
            self._untold.append(message)
            self._bell.set()

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    # Baristas

    async def _start(self, message: StartOrder) -> Claim | None:
        late = None if message.keyed else partial(self._release, message.claim)
        if not message.waits:
            return await self.ask_late(message, late)
        with trio.CancelScope() as scope:
            self._baristas.add(scope)
            try:
                return await self.ask_late(message, late)
            finally:
                self._baristas.discard(scope)
        raise self._refusal()

    def _release(self, claim_id: str, claim: Claim | None) -> None:
        """Release the order of a claim whose barista disconnected before it arrived."""
        if claim is not None:
            with suppress(MailboxFull):  # then its lease expires
                super().tell_nowait(ReleaseOrder(claim.order.order_id, claim_id))

    # Closing

    def _refusal(self) -> CafeRefusal:
        return copy_error(self._closing.refusal or ShopClosing(RETRY_SECONDS))

    async def _refuse(self, message: object) -> NoReturn:
        await trio.lowlevel.checkpoint()
        if isinstance(message, AwaitOrder):
            if not message.collects:
                raise UnknownOrder  # as in `_wait`
            self._leave(message.order_id, hangs_up=True)
        raise self._refusal()


def _note(wait: Wait, standing: Standing) -> None:
    """Keep the basket and destination, which an order's row in the log lacks."""
    order = standing.order
    if order.basket is not None or order.destination is not None:
        wait.known = order
