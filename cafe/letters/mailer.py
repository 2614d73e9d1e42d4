"""The Mailer: the actor that owns all letters.

Rule: memory has only the position up to which the log was followed. Each turn reads what it needs,
decides by the model, and commits: so the next turn finds all earlier changes, a crash or a kill
leaves nothing to undo, and a backlog of any size costs no memory.

A position is stored with the letters about the events up to it, in one commit. Events that need no
letter are not worth a commit: their position is stored once in a while, and after a crash they are
read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from actors import Actor
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.letters.letter import Change, NotRetriedError
from cafe.letters.messages import CheckIn, Follow, Record, Retry
from cafe.letters.queries import Kept, look_up
from cafe.letters.refusals import LetterNotRetried, UnknownLetter
from cafe.letters.tables import entry_of, entry_of_position

MOST_BEHIND: Final = 1_000
"""The most events without letters whose position is not stored."""
POSITION_SECONDS: Final = 60.0
"""The longest time without storing the position while events without letters come."""


class Mailer(Actor):
    """Owns letters, from the event of a booking until they are sent or set aside."""

    def __init__(
        self, ledger: Ledger, opened: tuple[Journal, int], wake: Callable[[], object]
    ) -> None:
        """Start from the loaded position; `wake` is called after each commit."""
        self._ledger = ledger
        self._journal, self._stored = opened
        self._stored_at = ledger.now()
        self._journal.on_commit(wake)

    def on_stop(self) -> None:
        """Unsubscribe from commits; what is written is still committed."""
        self._journal.on_commit(None)

    @Follow.handler
    async def follow(self, message: Follow) -> None:
        """Add the letters that were not added before, with the position of their events."""
        if message.letters:
            mailboxes = {one.letter.mailbox for one in message.letters}
            kept = await self._look_up(mailboxes=mailboxes)
            now = self._ledger.now()
            new = [one for one in message.letters if one.letter.position > kept.position]
            changes = [kept.outbox.add(one.letter, now) for one in new]
            if changes:
                texts = {one.letter.letter_id: one.content for one in new}
                await self._commit(changes, texts, message.position)
        overdue = self._ledger.now() >= self._stored_at + POSITION_SECONDS
        if message.position >= self._stored + (1 if overdue else MOST_BEHIND):
            await self._commit((), {}, message.position)

    @Record.handler
    async def record(self, message: Record) -> None:
        """Apply the outcomes of attempts, and make the letters due that were held behind."""
        kept = await self._look_up(letter_ids={one.letter_id for one in message.attempts})
        now = self._ledger.now()
        await self._commit(
            [change for one in message.attempts for change in kept.outbox.attempted(one, now)]
        )

    @Retry.handler
    async def retry(self, message: Retry) -> None:
        """Make a letter due at once."""
        kept = await self._look_up(letter_ids=[message.letter_id])
        if message.letter_id not in kept.outbox.by_id:
            raise UnknownLetter
        try:
            changes = kept.outbox.retry(message.letter_id, self._ledger.now())
        except NotRetriedError as no:
            raise LetterNotRetried(no.state) from None
        await self._commit(changes)

    @CheckIn.handler
    def check_in(self, _message: CheckIn) -> None:
        """Answer, which shows that earlier messages are done."""

    async def _commit(
        self,
        changes: Iterable[Change],
        contents: Mapping[str, str] | None = None,
        position: int | None = None,
    ) -> None:
        """Commit changes, with the `contents` of new letters, and the position of their events."""
        texts = contents or {}
        entries = [entry_of(change, texts.get(change.letter.letter_id)) for change in changes]
        if position is not None:
            entries.append(entry_of_position(position))
        if entries:
            await self._journal.commit(*entries)
        if position is not None:
            self._stored, self._stored_at = position, self._ledger.now()

    async def _look_up(
        self, *, mailboxes: Iterable[str] = (), letter_ids: Iterable[str] = ()
    ) -> Kept:
        """Read after the commit of all written entries, also of those of a cancelled turn."""
        query = partial(look_up, mailboxes={*mailboxes}, letter_ids={*letter_ids})
        return await self._ledger.read(query, behind=self._journal)
