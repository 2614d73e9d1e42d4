"""A long sequence in parts: what one turn takes, or one statement.

Rule: pure. `itertools.batched` does this from Python 3.12 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Yield the items as they come, at most so many at once."""
    return (items[first : first + most] for first in range(0, len(items), most))
