"""The coverage: which districts there are, and which of them some courier serves.

Rule: pure. One writer, the actor that owns couriers, and many readers: reading costs no message.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from cafe.names import key_of, tidy


class District(NamedTuple):
    """A part of the town, as it is committed."""

    district_id: str
    name: str
    number: int = 0
    """Its place in lists: 1, 2, 3 and so on."""
    retired: bool = False
    """New deliveries are refused there; those under way go on."""


class Coverage:
    """The districts that are not retired; only the actor that owns couriers changes it."""

    def __init__(self) -> None:
        self._by_id: dict[str, District] = {}
        self._by_key: dict[str, District] = {}
        self._served: Collection[str] = frozenset()

    def show(self, districts: Iterable[District], served: Collection[str]) -> None:
        """Replace the districts, and the ids of those that a courier serves."""
        self._by_id = {one.district_id: one for one in districts}
        self._by_key = {key_of(one.name): one for one in self._by_id.values()}
        self._served = served

    def find(self, name_or_id: str) -> District | None:
        """Return the district with this id, or with this name in any case."""
        return self._by_id.get(name_or_id) or self._by_key.get(key_of(tidy(name_or_id)))

    def is_served(self, district_id: str) -> bool:
        """Return whether some courier serves it, on duty or not."""
        return district_id in self._served

    def served(self) -> list[str]:
        """List the names of the districts that some courier serves."""
        return sorted(one.name for one in self._by_id.values() if one.district_id in self._served)
