"""The task that finds due letters, sends them, and records the attempts.

Rule: nothing is decided or remembered here. A letter that was under way at a kill is sent again,
with the same Message-ID; a file replaces itself.

There are two lanes: one for first attempts, one for retries. So letters that failed take no slot
from new ones. One letter at a time is sent to a mailbox.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

import trio

from actors import Ref
from cafe.ledger.ledger import Ledger
from cafe.ledger.reader import Query
from cafe.ledger.sending import Bell, Due, Outgoing, Sending
from cafe.letters.letter import OPEN, Answer, Attempt, Letter, State, Written
from cafe.letters.messages import Record
from cafe.letters.queries import read_due
from cafe.letters.smtp import MOST_AT_ONCE

if TYPE_CHECKING:
    from cafe.letters.messages import Mailer

Send = Callable[[Letter, str], Awaitable[Answer]]
"""Makes one attempt to send a message, and returns the outcome; raises no error."""


def post(
    mailer: Ref[Mailer], ledger: Ledger, bell: Bell, send: Send, most: int = MOST_AT_ONCE
) -> Sending[Written, State, Attempt]:
    """Return the Sending of letters by `send`, at most `most` at once in each lane.

    `bell` rings after each commit.
    """

    def due(now: float, lanes: Collection[State], most: int) -> Query[Due[Written]]:
        return partial(read_due, now=now, states=lanes, most=most)

    async def attempt(one: Written) -> Attempt:
        at, began = ledger.now(), trio.current_time()
        outcome, said = await send(one.letter, one.content)
        seconds = trio.current_time() - began
        number = one.letter.attempts + 1
        return Attempt(one.letter.letter_id, number, at, outcome, said, seconds)

    async def record(attempts: tuple[Attempt, ...]) -> None:
        await mailer.ask(Record(attempts))

    outgoing = Outgoing(
        lanes=OPEN,
        most=most,
        due=due,
        key=lambda one: one.letter.mailbox,
        lane=lambda one: one.letter.state,
        attempt=attempt,
        record=record,
    )
    return Sending(ledger, bell, outgoing)
