"""The task that finds due notifications, sends them, and records the attempts.

Rule: nothing is decided or remembered here; a notification that is sent again after a kill has the
same id.

Each receiver has two lanes with MOST_AT_ONCE slots each: one for first attempts, one for retries.
So notifications that failed take no slot from new ones, nor from another receiver, and a slow
answer holds one slot for at most fifteen seconds. Only one notification of a subject is due at a
time, so no subject has two slots.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Final

import trio

from actors import Ref
from cafe.ledger.ledger import Ledger
from cafe.ledger.reader import Query
from cafe.ledger.sending import Bell, Due, Outgoing, Sending
from cafe.notifications.messages import Record
from cafe.notifications.notification import Attempt, Notification, State, Topic
from cafe.notifications.notifier import Notifier
from cafe.notifications.queries import Lane, read_due

MOST_AT_ONCE: Final = 100
"""The most attempts under way in each lane; a receiver, with two lanes, may have twice as many
connections."""
SENT: Final = (State.DUE, State.RETRYING)
"""The states in which a notification is attempted."""

Send = Callable[[Notification], Awaitable[str]]
"""Makes one attempt, and returns its outcome; raises no error."""


def post(
    notifier: Ref[Notifier],
    ledger: Ledger,
    bell: Bell,
    senders: Mapping[Topic, Send],
    most: int = MOST_AT_ONCE,
) -> Sending[Notification, Lane, Attempt]:
    """Return the Sending of the topics in `senders`, at most `most` at once in each lane.

    `bell` rings after each commit.
    """
    every = [Lane(topic, state) for topic in senders for state in SENT]

    def due(now: float, lanes: Collection[Lane], most: int) -> Query[Due[Notification]]:
        return partial(read_due, now=now, free=lanes, every=every, most=most)

    async def attempt(one: Notification) -> Attempt:
        at, began = ledger.now(), trio.current_time()
        outcome = await senders[one.topic](one)
        seconds = trio.current_time() - began
        return Attempt(one.event_id, one.attempts + 1, at, outcome, seconds)

    async def record(attempts: tuple[Attempt, ...]) -> None:
        await notifier.ask(Record(attempts))

    outgoing = Outgoing(
        lanes=every,
        most=most,
        due=due,
        key=lambda one: one.event_id,
        lane=lambda one: Lane(one.topic, one.state),
        attempt=attempt,
        record=record,
    )
    return Sending(ledger, bell, outgoing)
