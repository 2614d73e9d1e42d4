"""What it means that ours agrees with its peers.

Rule: answer by answer, for as long as the peers agree with each other, and no longer. Where both
refuse, be it each with a status of its own, ours refuses too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.peers.reading import Answer, Conversation


@dataclass(frozen=True, slots=True)
class Difference:
    """The first answer of ours that is not the peers'; None is that there is no further answer."""

    ours: Answer | None
    theirs: Answer | None
    is_closed: tuple[bool, bool] = (False, False)
    """Ours, theirs: whether the connection was closed, where only that differs."""

    @property
    def we_refuse(self) -> int:
        """Return the status with which our server refuses, 0 where it does not."""
        return refusal(self.ours)

    @property
    def they_refuse(self) -> int:
        return refusal(self.theirs)


def difference(all_three: Mapping[str, Conversation]) -> Difference | None:
    """Return where ours first differs from its peers; None if it agrees as far as they do."""
    ours, *peers = (all_three[kind].essence() for kind in ("ours", "uvicorn", "hypercorn"))
    for turn in range(len(ours.answers) + 1):
        mine, one, other = (at(talk, turn) for talk in (ours, *peers))
        if one == other and mine != one:
            return Difference(mine, one)
        if refusal(one) and refusal(other) and not refusal(mine):
            return Difference(mine, one)
        if one != other or one is None:
            break
    else:
        return None
    closed = [talk.is_closed for talk in (ours, *peers)]
    if one is other is None and closed[1] == closed[2] != closed[0]:
        return Difference(None, None, (closed[0], closed[1]))
    return None


def at(talk: Conversation, turn: int) -> Answer | None:
    """Return the answer of this turn; one that h11 cannot read is an answer like no other."""
    if turn < len(talk.answers):
        return talk.answers[turn]
    return Answer(0, ((b"unreadable", talk.complaint.encode()),)) if talk.complaint else None


def refusal(answer: Answer | None) -> int:
    """Return the status of a server's own error, else 0."""
    return answer.status if answer and answer.is_the_servers and answer.status >= 400 else 0
