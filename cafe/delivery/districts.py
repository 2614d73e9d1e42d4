"""The districts: parts of the town with names that are unique in any case.

Rule: pure; the table of transitions *is* the state machine of a district. Each command is one call,
which returns what has happened, or raises an error and changes nothing. A district is never
deleted: what was brought there names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from cafe.delivery.coverage import District
from cafe.names import key_of, tidy


class DistrictStatus(StrEnum):
    """Whether a district accepts new deliveries."""

    OPEN = "open"
    RETIRED = "retired"


class DistrictAction(StrEnum):
    """What can happen to a district."""

    ADD = "add district"
    RENAME = "rename district"
    CLOSE = "retire district"
    REOPEN = "reopen district"


DISTRICT_TRANSITIONS: Final[dict[tuple[DistrictStatus | None, DistrictAction], DistrictStatus]] = {
    (None, DistrictAction.ADD): DistrictStatus.OPEN,
    **{(status, DistrictAction.RENAME): status for status in DistrictStatus},
    (DistrictStatus.OPEN, DistrictAction.CLOSE): DistrictStatus.RETIRED,
    (DistrictStatus.RETIRED, DistrictAction.REOPEN): DistrictStatus.OPEN,
}


def status_of(district: District) -> DistrictStatus:
    """Return the status of a district."""
    return DistrictStatus.RETIRED if district.retired else DistrictStatus.OPEN


class DistrictChange(NamedTuple):
    """Something that has happened to a district."""

    action: DistrictAction
    before: DistrictStatus | None
    district: District
    at: float
    by: str | None = None


class NameTakenError(Exception):
    """Another district, maybe a retired one, has this name."""


class UnknownDistrictError(Exception):
    """There is no such district, or it is retired."""

    def __init__(self, place: int | None = None) -> None:
        """Carry its `place` among several names."""
        super().__init__("there is no such district")
        self.place = place


class StillQueuedError(Exception):
    """Deliveries wait in the district."""

    def __init__(self, queued: int) -> None:
        super().__init__("deliveries wait in the district")
        self.queued = queued


class Districts:
    """All districts, also retired ones."""

    def __init__(self, districts: Iterable[District] = ()) -> None:
        """Start from the committed districts."""
        self.by_id: dict[str, District] = {}
        """All districts, also retired ones; only this class changes them."""
        self._by_key: dict[str, str] = {}
        for one in districts:
            self._keep(one)

    def open(self) -> list[District]:
        """List the districts that are not retired."""
        return [one for one in self.by_id.values() if not one.retired]

    def find(self, name_or_id: str) -> District:
        """Return the district with this id, or with this name in any case, if it is not retired.

        Raises UnknownDistrictError.
        """
        by_name = self._by_key.get(key_of(tidy(name_or_id)), "")
        found = self.by_id.get(name_or_id) or self.by_id.get(by_name)
        if found is None or found.retired:
            raise UnknownDistrictError
        return found

    def find_all(self, names_or_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of districts, each once; raises UnknownDistrictError with its place."""
        found: dict[str, None] = {}
        for place, name_or_id in enumerate(names_or_ids):
            try:
                found[self.find(name_or_id).district_id] = None
            except UnknownDistrictError:
                raise UnknownDistrictError(place) from None
        return tuple(found)

    def add(self, district_id: str, name: str, now: float, by: str | None) -> DistrictChange:
        """Add a district; raises NameTakenError."""
        self._check_name(district_id, name)
        number = max((one.number for one in self.by_id.values()), default=0) + 1
        district = District(district_id, tidy(name), number)
        self._keep(district)
        return DistrictChange(DistrictAction.ADD, None, district, now, by)

    def change(  # noqa: PLR0917 - independent parts
        self,
        district_id: str,
        name: str | None,
        retired: bool | None,  # noqa: FBT001 - None leaves it as it is
        queued: int,
        now: float,
        by: str | None,
    ) -> list[DistrictChange]:
        """Rename a district, retire it, or reopen it; None leaves it as it is.

        `queued` deliveries wait in it. Raises UnknownDistrictError, NameTakenError or
        StillQueuedError.
        """
        district = self.by_id.get(district_id)
        if district is None:
            raise UnknownDistrictError
        if name is not None:
            self._check_name(district_id, name)
        if retired and not district.retired and queued:
            raise StillQueuedError(queued)
        changes: list[DistrictChange] = []
        if name is not None and tidy(name) != district.name:
            changes.append(
                self._step(district._replace(name=tidy(name)), DistrictAction.RENAME, now, by)
            )
            district = changes[-1].district
        if retired is not None and retired != district.retired:
            action = DistrictAction.CLOSE if retired else DistrictAction.REOPEN
            changes.append(self._step(district._replace(retired=retired), action, now, by))
        return changes

    def _step(
        self, after: District, action: DistrictAction, now: float, by: str | None
    ) -> DistrictChange:
        before = status_of(self.by_id[after.district_id])
        self._keep(after)
        return DistrictChange(action, before, after, now, by)

    def _check_name(self, district_id: str, name: str) -> None:
        if self._by_key.get(key_of(tidy(name)), district_id) != district_id:
            raise NameTakenError

    def _keep(self, district: District) -> None:
        before = self.by_id.get(district.district_id)
        if before is not None:
            del self._by_key[key_of(before.name)]
        self.by_id[district.district_id] = district
        self._by_key[key_of(district.name)] = district.district_id
