"""Mailbox: a trio memory channel of envelopes, of a finite size.

The one rule: a message is either taken, in the order of arrival, or its asker is told why not.
"""

from contextlib import suppress

import outcome
import trio

from actors.envelope import Envelope
from actors.errors import ActorStopped, MailboxFull, fresh

_CLOSED = (trio.ClosedResourceError, trio.BrokenResourceError)


class Mailbox:
    """The only way in to an actor."""

    __slots__ = ("_arrivals", "_channel", "_returned", "closed", "name", "size")

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.closed = False
        self._channel, self._arrivals = trio.open_memory_channel[Envelope](size)
        self._returned: Envelope | None = None

    def __len__(self) -> int:
        return self._channel.statistics().current_buffer_used + (self._returned is not None)

    async def post(self, envelope: Envelope) -> None:
        """Put a message in, waiting for room; raise ActorStopped if it is or gets closed."""
        try:
            await self._channel.send(envelope)
        except _CLOSED:
            raise ActorStopped(self.name) from None

    def post_nowait(self, envelope: Envelope) -> None:
        """Put a message in; raise MailboxFull or ActorStopped."""
        try:
            self._channel.send_nowait(envelope)
        except trio.WouldBlock:
            raise MailboxFull(self.name, self.size) from None
        except _CLOSED:
            raise ActorStopped(self.name) from None

    async def take(self) -> Envelope:
        """Wait for a message; raise trio.EndOfChannel when it is closed and empty."""
        if self._returned is not None:
            envelope, self._returned = self._returned, None
            return envelope
        return await self._arrivals.receive()

    def take_nowait(self) -> Envelope | None:
        """Take a message if there is one; raise trio.EndOfChannel as above."""
        try:
            return self._arrivals.receive_nowait()
        except trio.WouldBlock:
            return None

    def put_back(self, envelope: Envelope) -> None:
        """Return the message that was taken last, to be the next one again."""
        self._returned = envelope

    def close(self) -> None:
        """Let nothing more in; whoever waits for room hears ActorStopped."""
        self.closed = True
        self._channel.close()

    def fail_rest(self, error: ActorStopped) -> None:
        """Fail every message that is left in a closed mailbox."""
        if self._returned is not None:
            self._returned.settle(outcome.Error(fresh(error)))
            self._returned = None
        with suppress(trio.EndOfChannel):
            while True:
                self._arrivals.receive_nowait().settle(outcome.Error(fresh(error)))
