"""The refusals about letters.

Rule: each has a sentence, its data as members, and its HTTP status.
"""

from __future__ import annotations

from cafe.http.refusals import CafeRefusal
from cafe.letters.letter import State


class UnknownLetter(CafeRefusal):
    """There is no such letter, or it was deleted long ago."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such letter.")


class LetterNotRetried(CafeRefusal):
    """The letter is sent, or held behind another one."""

    status = 409
    members = ("letter_state",)

    def __init__(self, letter_state: State) -> None:
        because = {State.HELD: "it is held until the one before it is sent or set aside"}
        super().__init__(f"Nothing to retry: {because.get(letter_state, 'it is sent')}.")
        self.letter_state = letter_state
