"""Accounts at fronts: made at one, used at another, and refused at all as soon as they end."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.cafe.both_ends import PASSWORD, FrontEnd, bearer, needs_redis, open_both_ends

pytestmark = needs_redis

ADA = "ada@example.com"


async def status_of(front: FrontEnd, headers: dict[str, str]) -> int:
    """Return the status that a caller gets who asks who they are."""
    return (await front.customer.get("/auth/me", headers=headers)).status_code


async def test_one_who_registers_at_one_front_signs_in_at_another_and_out_at_both(
    tmp_path: Path,
) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        wish = {"email": ADA, "password": PASSWORD}
        registered = await here.customer.post("/auth/register", json=wish)
        assert registered.status_code == httpx.codes.CREATED, registered.text
        taken = await there.customer.post("/auth/register", json=wish)
        assert taken.status_code == httpx.codes.CONFLICT
        form = {"username": ADA, "password": "wrong horse"}
        wrong = await there.customer.post("/auth/token", data=form)
        assert wrong.status_code == httpx.codes.UNAUTHORIZED
        ada = await there.sign_in(ADA)
        assert [await status_of(one, ada) for one in (here, there)] == [200, 200]
        assert (await here.customer.post("/auth/logout", headers=ada)).status_code == 204
        assert [await status_of(one, ada) for one in (there, here)] == [401, 401]


async def test_an_account_or_a_token_that_is_revoked_at_one_front_is_refused_at_once_at_another(
    tmp_path: Path,
) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        manager = await here.with_role("manager")
        barista = await there.with_role("barista")
        listed = await here.staff.get("/admin/users?email=barista@example.com", headers=manager)
        (account,) = listed.json()["users"]
        assert await status_of(there, barista) == httpx.codes.OK
        path = f"/admin/users/{account['user_id']}"
        changed = await here.staff.patch(path, json={"disabled": True}, headers=manager)
        assert changed.status_code == httpx.codes.OK
        assert await status_of(there, barista) == httpx.codes.UNAUTHORIZED
        wish = {"name": "display", "role": "barista"}
        granted = await here.staff.post("/admin/tokens", json=wish, headers=manager)
        display = bearer(granted.json()["token"])
        assert (await there.staff.get("/orders", headers=display)).status_code == httpx.codes.OK
        revoked = await here.staff.delete("/admin/tokens/display", headers=manager)
        assert revoked.status_code == httpx.codes.NO_CONTENT
        refused = await there.staff.get("/orders", headers=display)
        assert refused.status_code == httpx.codes.UNAUTHORIZED
        tokens = await there.staff.get("/admin/tokens", headers=manager)
        assert tokens.json() == {"tokens": []}
