"""Refreshing: one successor for all who present a token, and the end of a sign-in for a thief."""

from __future__ import annotations

from functools import partial

import jwt
import pytest
import trio

from cafe.ledger.store import Store
from tests.cafe.accounts.lobby import SECRET, all_of, open_lobby
from tests.cafe.ledger.fakes import Disk, FaultyStore


async def test_refreshing_rotates(store: Store) -> None:
    async with open_lobby(store) as lobby:
        await lobby.register()
        first = await lobby.sign_in()
        second = (await lobby.refresh(first["refresh_token"])).json()
        third = (await lobby.refresh(second["refresh_token"])).json()
        refresh_tokens = [one["refresh_token"] for one in (first, second, third)]
        assert len(set(refresh_tokens)) == 3
        for tokens in (first, second, third):
            assert (await lobby.me(tokens["access_token"])).status_code == 200


async def test_twenty_who_present_a_token_at_once_get_one_successor(store: Store) -> None:
    async with open_lobby(store) as lobby:
        await lobby.register()
        token = (await lobby.sign_in())["refresh_token"]
        answers = await all_of(*([partial(lobby.refresh, token)] * 20))
        assert {one.status_code for one in answers} == {200}
        (successor,) = {one.json()["refresh_token"] for one in answers}
        assert (await lobby.refresh(successor)).status_code == 200


@pytest.mark.schedules(10)
async def test_whatever_the_schedule_there_is_one_successor() -> None:
    async with open_lobby(disk=Disk(0.01)) as lobby:
        await lobby.register()
        token = (await lobby.sign_in())["refresh_token"]
        answers = await all_of(*([partial(lobby.refresh, token)] * 6))
        assert len({one.json()["refresh_token"] for one in answers}) == 1


async def test_a_lost_answer_is_given_again_also_a_day_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        token = (await lobby.sign_in())["refresh_token"]
        lost = (await lobby.refresh(token)).json()
        autojump_clock.jump(86_400)
        again = (await lobby.refresh(token)).json()
        assert again["refresh_token"] == lost["refresh_token"]
        assert (await lobby.me(lost["access_token"])).status_code == 401  # it has expired
        assert (await lobby.me(again["access_token"])).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(9.5, 200), (10.5, 401)])
async def test_after_the_first_use_of_its_successor_a_token_has_ten_seconds(
    autojump_clock: trio.testing.MockClock, seconds: float, status: int
) -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        first = (await lobby.sign_in())["refresh_token"]
        second = (await lobby.refresh(first)).json()["refresh_token"]
        autojump_clock.jump(3_600)
        third = (await lobby.refresh(second)).json()
        autojump_clock.jump(seconds)
        again = await lobby.refresh(first)
        assert again.status_code == status
        if status == 200:
            assert again.json()["refresh_token"] == second
        assert (await lobby.me(third["access_token"])).status_code == status
        assert (await lobby.refresh(third["refresh_token"])).status_code == status


async def test_a_token_that_is_used_too_late_ends_its_own_sign_in_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        await lobby.register()
        stolen, other = await lobby.sign_in(), await lobby.sign_in()
        token = stolen["refresh_token"]
        for _ in range(3):
            token = (await lobby.refresh(token)).json()["refresh_token"]
            autojump_clock.jump(60)
        assert (await lobby.refresh(stolen["refresh_token"])).status_code == 401
        assert (await lobby.refresh(token)).status_code == 401
        assert (await lobby.me(stolen["access_token"])).status_code == 401
        assert (await lobby.me(other["access_token"])).status_code == 200
        assert (await lobby.refresh(other["refresh_token"])).status_code == 200
        (revoked,) = (one.event for one in store.logged if one.event.action == "revoke")
        assert revoked.reason == "a spent token"
        assert store.broken_promises() == []


async def test_garbage_of_any_kind_is_a_401_and_ends_nothing() -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        tokens = await lobby.sign_in()
        good = tokens["refresh_token"]
        claims = jwt.decode(good, SECRET, algorithms=["HS256"], options={"verify_exp": False})
        sign_in_id = claims["jti"].partition(".")[0]
        forged = [
            {**claims, "jti": f"{sign_in_id}.1"},
            {**claims, "jti": f"{sign_in_id}.{10**30}"},
            {**claims, "jti": f"{sign_in_id}.-1"},
            {**claims, "jti": "another.0"},
            {**claims, "sub": "another"},
            {**claims, "exp": 1},
        ]
        garbage = [
            *("", "x", "a.b.c", good[:-1], f"{good}=", f"{good} ", "é", "\U0001f600", "\0"),
            tokens["access_token"],
            "cafe_" + "x" * 43,
            lobby.tokens.operator(lobby.ledger.now()),
            *(jwt.encode(one, SECRET, algorithm="HS256") for one in forged),
        ]
        for number, token in enumerate(garbage):
            response = await lobby.refresh(token)
            assert response.status_code == 401, token
            assert token[:20] not in response.text or len(token) < 3
            assert await lobby.refused() == number + 1
        headers = {"Content-Type": "application/json"}
        async with lobby.visitor() as visitor:
            body = b'{"refresh_token": "\\ud800"}'
            lone = await visitor.post("/auth/refresh", content=body, headers=headers)
            assert lone.status_code in {400, 401, 422}
        assert (await lobby.refresh(good)).status_code == 200


async def test_a_refresh_token_expires_after_fourteen_days(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        token = (await lobby.sign_in())["refresh_token"]
        autojump_clock.jump(14 * 86_400 - 60)
        token = (await lobby.refresh(token)).json()["refresh_token"]
        autojump_clock.jump(14 * 86_400 - 60)
        token = (await lobby.refresh(token)).json()["refresh_token"]
        autojump_clock.jump(14 * 86_400 + 11)
        assert (await lobby.refresh(token)).status_code == 401


async def test_an_answer_that_the_database_lost_is_the_same_successor() -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        await lobby.register()
        token = (await lobby.sign_in())["refresh_token"]
        store.link.mute = 1
        first = await lobby.refresh(token)
        second = await lobby.refresh(token)
        assert first.json()["refresh_token"] == second.json()["refresh_token"]


async def test_a_new_role_changes_no_refresh_token() -> None:
    async with open_lobby() as lobby:
        user_id = await lobby.register()
        token = (await lobby.sign_in())["refresh_token"]
        before = (await lobby.refresh(token)).json()
        async with lobby.manager() as manager:
            await manager.patch(f"/admin/users/{user_id}", json={"role": "barista"})
        after = (await lobby.refresh(token)).json()
        assert after["refresh_token"] == before["refresh_token"]
        assert (await lobby.me(before["access_token"])).json()["role"] == "barista"
