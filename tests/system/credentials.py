"""How a test gets in: the header fields of a caller with a role, or of one without any."""

from __future__ import annotations

from typing import Final

from cafe.http.authentication import Role
from tests.system.shop import Shop

ROLES: Final = (None, *Role)
"""All that a caller may be; None is a caller who has not signed in."""

Fields = dict[str, str]


async def credentials(_shop: Shop, _role: Role | None) -> Fields:
    """Return header fields that show this role to the shop; none while it has no accounts."""
    return {}
