"""How a test gets in: the header fields of a caller with a role, or of one without any.

Rule: as a person would. A manager's command adds the account beside the running shop, and the
account signs in.
"""

from __future__ import annotations

import time
from typing import Final

import httpx

from cafe.accounts.secret import find_secret
from cafe.accounts.tokens import tokens_of
from cafe.http.authentication import Role
from cafe.settings import Settings
from tests.system.shop import Shop

ROLES: Final = (None, *Role)
"""All that a caller may be; None is a caller who has not signed in."""
PASSWORD: Final = "correct horse"

Fields = dict[str, str]
_known: dict[tuple[str, int, Role], Fields] = {}
"""By URL and process, since a port of a shop that has ended is given to another."""


async def credentials(shop: Shop, role: Role | None) -> Fields:
    """Return header fields that show this role to the shop; none for none."""
    if role is None:
        return {}
    key = shop.client, shop.process.pid, role
    if key not in _known:
        _known[key] = await _sign_in(shop, role)
    return _known[key]


async def _sign_in(shop: Shop, role: Role) -> Fields:
    settings = Settings.model_validate({"database_url": shop.database_url})
    operator = tokens_of(find_secret(settings)).operator(time.time())
    async with shop.baristas() as manager, shop.customers() as caller:
        account = {"email": f"{role}@example.com", "password": PASSWORD, "role": role.value}
        added = await manager.post("/admin/users", json=account, headers=bearer(operator))
        assert added.status_code in {httpx.codes.CREATED, httpx.codes.CONFLICT}, added.text
        form = {"username": account["email"], "password": PASSWORD}
        signed_in = await caller.post("/auth/token", data=form)
        assert signed_in.status_code == httpx.codes.OK, signed_in.text
        return bearer(signed_in.json()["access_token"])


def bearer(token: str) -> Fields:
    """Return the header field of a token."""
    return {"Authorization": f"Bearer {token}"}
