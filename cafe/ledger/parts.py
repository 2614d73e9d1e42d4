"""Splits a long sequence into parts, for one turn or one statement each.

Rule: pure. `itertools.batched` does this from Python 3.12 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Return an iterator over slices of `items`, in order, each of at most `most` items."""
    return (items[first : first + most] for first in range(0, len(items), most))
