"""Strategy: which actors of a group are restarted when one of them crashes.

The one rule: order of start is order of dependence. Whoever was started later may rely on whoever
was started before, never the other way round.
"""

from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Strategy(Enum):
    """What a crash in a group means for the others in it; the names are OTP's."""

    ONE_FOR_ONE = "one_for_one"
    """Only the crashed actor is restarted."""
    ALL_FOR_ONE = "all_for_one"
    """Every actor of the group is restarted: they share what one of them may have spoilt."""
    REST_FOR_ONE = "rest_for_one"
    """The crashed actor is restarted, and those that were started after it."""

    def others(self, members: Sequence[T], crashed: T) -> list[T]:
        """Return who is restarted along with the crashed one, in the order of start."""
        if self is Strategy.ONE_FOR_ONE:
            return []
        if self is Strategy.REST_FOR_ONE:
            return list(members[members.index(crashed) + 1 :])
        return [member for member in members if member is not crashed]
