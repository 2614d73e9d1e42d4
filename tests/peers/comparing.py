"""Whether our server agrees with its peers.

Rule: responses are compared one by one, as long as the peers agree with each other. Where both
refuse, even with different statuses, ours refuses too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.peers.reading import Conversation, Response


@dataclass(frozen=True, slots=True)
class Difference:
    """The first response of ours that differs from the peers'; None stands for no response."""

    ours: Response | None
    theirs: Response | None
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
    for turn in range(len(ours.responses) + 1):
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


def at(talk: Conversation, turn: int) -> Response | None:
    """Return the response of this turn; one that h11 cannot read equals no other."""
    if turn < len(talk.responses):
        return talk.responses[turn]
    return Response(0, ((b"unreadable", talk.complaint.encode()),)) if talk.complaint else None


def refusal(response: Response | None) -> int:
    """Return the status of a server's own error, else 0."""
    return response.status if response and response.is_the_servers and response.status >= 400 else 0
