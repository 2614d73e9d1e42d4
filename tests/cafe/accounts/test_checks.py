"""Each promise is found broken where it is broken; and what ended long ago is pruned."""

from __future__ import annotations

import pytest
import trio

from cafe.accounts.checks import CHECKS
from cafe.accounts.department import ACCOUNTS
from cafe.ledger.database import Link
from tests.cafe.accounts.lobby import open_lobby
from tests.cafe.ledger.fakes import FaultyStore

DAMAGES = {
    "UPDATE accounts SET status = 'disabled'": "every account stands",
    "DELETE FROM events WHERE department = 'accounts' AND action = 'register'": "every account",
    "UPDATE sign_ins SET status = 'signed out', ended_at = 1.0": "every sign-in stands",
    "UPDATE sign_ins SET ended_at = 1.0": "every sign-in has an end",
    "UPDATE sign_ins SET epoch = 7": "no sign-in is of a later epoch",
    "UPDATE program_tokens SET revoked_at = 1.0": "every program's token has an end",
    "UPDATE program_tokens SET status = 'revoked', revoked_at = 1.0": "every program's token st",
}


async def filled(store: FaultyStore) -> None:
    """Register, sign in, and grant a token."""
    async with open_lobby(store) as lobby:
        await lobby.register()
        await lobby.sign_in()
        async with lobby.manager() as manager:
            await manager.post("/admin/tokens", json={"name": "till", "role": "barista"})


@pytest.mark.parametrize(("damage", "promise"), DAMAGES.items())
async def test_a_broken_promise_is_found(damage: str, promise: str) -> None:
    store = FaultyStore()
    await filled(store)
    assert store.broken_promises() == []
    with Link.transaction(store.link, writing=True) as connection:
        connection.exec_driver_sql(damage)
    assert any(promise in one for one in store.broken_promises())
    assert any(one.startswith(promise) for one in CHECKS)


async def test_what_ended_long_ago_is_pruned_and_accounts_stay(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        await lobby.register()
        ended, expired = await lobby.sign_in(), await lobby.sign_in()
        async with lobby.manager() as manager:
            await manager.post("/admin/tokens", json={"name": "old", "role": "barista"})
            await manager.delete("/admin/tokens/old")
        async with lobby.visitor(token=ended["access_token"]) as visitor:
            await visitor.post("/auth/logout")
        assert (await lobby.me(expired["access_token"])).status_code == 200
        autojump_clock.jump(20 * 86_400)
        live = await lobby.sign_in()
        before = lobby.ledger.now() - 86_400
        assert await lobby.ledger.prune(ACCOUNTS, before, [ACCOUNTS]) == 3
        assert (await lobby.me(live["access_token"])).status_code == 200
        assert store.broken_promises() == []
