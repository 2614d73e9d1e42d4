"""Signing in and out: who gets tokens, how long they hold, and what strangers can find out."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest
import trio

from actors import ActorCrashed
from cafe.accounts.messages import CountAccounts
from cafe.accounts.throttle import ACCOUNT_TRIES
from cafe.ledger.store import Store
from tests.cafe.accounts.lobby import (
    EMAIL,
    FORM,
    PASSWORD,
    CrashAccounts,
    Lobby,
    all_of,
    open_lobby,
)
from tests.cafe.ledger.fakes import Disk, FaultyStore

FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART = (
    b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, value)
        for name, value in ((b"username", EMAIL.encode()), (b"password", PASSWORD.encode()))
    )
    + b"--x--\r\n"
)


async def tries(lobby: Lobby, address: str = "192.0.2.1", **members: str) -> httpx.Response:
    async with lobby.visitor(address) as visitor:
        return await visitor.post("/auth/token", data={**FORM, **members})


async def test_signing_in_gives_tokens_that_hold(store: Store) -> None:
    async with open_lobby(store) as lobby:
        user_id = await lobby.register()
        tokens = await lobby.sign_in("ADA@Example.COM")
        assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 1_800)
        response = await lobby.me(tokens["access_token"])
        assert response.json() == {
            "user_id": user_id,
            "email": EMAIL,
            "username": None,
            "role": "customer",
        }
        assert (await lobby.me(tokens["refresh_token"])).status_code == 401


async def test_a_stranger_cannot_tell_what_is_wrong() -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        disabled = await lobby.add("gone@example.com", "barista")
        async with lobby.manager() as manager:
            await manager.patch(f"/admin/users/{disabled}", json={"disabled": True})
        answers = [
            await tries(lobby, username="nobody@example.com"),
            await tries(lobby, username="no address at all"),
            await tries(lobby, password="wrong horse"),
            await tries(lobby, password="short"),
            await tries(lobby, username="gone@example.com"),
        ]
        seen = {
            (one.status_code, one.json()["detail"], one.headers["WWW-Authenticate"])
            for one in answers
        }
        assert len(seen) == 1
        assert answers[0].status_code == 401
        assert answers[0].headers["content-type"] == "application/problem+json"
        assert await lobby.refused() == len(answers)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"username": EMAIL}, 422),
        ({"password": PASSWORD}, 422),
        ({**FORM, "grant_type": "refresh_token"}, 422),
        ({**FORM, "username": "a" * 255}, 422),
        ({**FORM, "password": "x" * 2_000}, 422),
        ({**FORM, "username": "ada\0@example.com"}, 422),
        ({**FORM, "password": "12345678\0"}, 422),
        ({**FORM, "scope": "all", "client_id": "x", "unknown": "y"}, 200),
        ({"username": EMAIL, "password": PASSWORD}, 200),
    ],
)
async def test_a_form_is_read_as_oauth_has_it(form: dict[str, str], status: int) -> None:
    async with open_lobby() as lobby, lobby.visitor() as visitor:
        await lobby.register()
        response = await visitor.post("/auth/token", data=form)
        assert response.status_code == status
        if status == 422:
            assert response.headers["content-type"] == "application/problem+json"
            assert PASSWORD not in response.text


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"username": "ada@example.com", "password": "correct horse"}', "application/json"),
        (b"%zz=%zz&&&=", FORM_TYPE),
        (b"\xff\xfe", FORM_TYPE),
        (b"username=a@b.example&password=%ff%ff%ff%ff%ff%ff%ff%ff", FORM_TYPE),
        (b"username=ada@example.com&username=a@b.example&password=correct+horse", FORM_TYPE),
        (b"username=ada@example.com&password=correct+horse&scope=a&scope=b", FORM_TYPE),
        (b"username=ada@example.com&password=correct+horse" + b"&x" * 200, FORM_TYPE),
        (b"", FORM_TYPE),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"none", "multipart/form-data"),
        (MULTIPART, "multipart/form-data; boundary=x"),
    ],
)
async def test_what_is_no_form_is_a_problem(body: bytes, content_type: str) -> None:
    async with open_lobby() as lobby, lobby.visitor() as visitor:
        await lobby.register()
        headers = {"Content-Type": content_type}
        response = await visitor.post("/auth/token", content=body, headers=headers)
        assert response.status_code in {400, 422}
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "password", ["pässwörd".encode(), b"p%C3%A4ssw%c3%b6rd", "pa\u0308ssw\u00f6rd".encode()]
)
async def test_a_form_is_utf_8_with_and_without_percent_signs(password: bytes) -> None:
    async with open_lobby() as lobby, lobby.visitor() as visitor:
        await visitor.post("/auth/register", json={"email": EMAIL, "password": "pässwörd"})
        body = b"username=ada@example.com&password=" + password
        headers = {"Content-Type": f"{FORM_TYPE}; charset=utf-8"}
        response = await visitor.post("/auth/token", content=body, headers=headers)
        assert response.status_code == 200, response.text


async def test_failed_tries_are_refused_after_ten_and_wait_for_their_time(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - time passes at once
) -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        for _ in range(10):
            assert (await tries(lobby, password="wrong horse")).status_code == 401
        refused = await tries(lobby)
        assert (refused.status_code, refused.json()["limit"]) == (429, "sign_in")
        await trio.sleep(float(refused.headers["Retry-After"]))
        assert (await tries(lobby)).status_code == 200


async def test_an_unknown_account_is_throttled_as_a_known_one_is() -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        statuses = {
            name: [
                (await tries(lobby, address, username=name, password="wrong")).status_code
                for _ in range(12)
            ]
            for name, address in ((EMAIL, "192.0.2.3"), ("nobody@example.com", "192.0.2.4"))
        }
        assert list(statuses.values()) == [[401] * 10 + [429] * 2] * 2


async def test_a_hundred_guesses_at_once_are_ten() -> None:
    async with open_lobby(disk=Disk(0.01)) as lobby:
        await lobby.register()
        guesses = [partial(tries, lobby, password=f"wrong horse {one}") for one in range(100)]
        statuses = [one.status_code for one in await all_of(*guesses)]
        assert (statuses.count(401), statuses.count(429)) == (10, 90)


async def test_an_owner_is_not_locked_out_by_others() -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        await lobby.sign_in(address="192.0.2.50")
        for number in range(ACCOUNT_TRIES):
            await tries(lobby, f"10.1.0.{number}", password="wrong")
        assert (await tries(lobby, "10.2.0.1", password="wrong")).status_code == 401
        assert (await tries(lobby, "10.2.0.1")).status_code == 429
        assert (await tries(lobby, "192.0.2.50", password="a typing error")).status_code == 401
        assert (await tries(lobby, "192.0.2.50")).status_code == 200
        assert (await tries(lobby, "192.0.2.51")).status_code == 200


async def test_wrong_tokens_are_counted_and_a_flood_of_them_is_cut_off() -> None:
    async with open_lobby() as lobby:
        for token in ("garbage", "cafe_garbage", "a.b.c", "é"):
            async with lobby.visitor() as visitor:
                bearer = [(b"authorization", f"Bearer {token}".encode("latin-1"))]
                assert (await visitor.get("/auth/me", headers=bearer)).status_code == 401
        assert await lobby.refused() == 4
        async with lobby.visitor() as visitor:
            assert (await visitor.get("/auth/me")).status_code == 401
        assert await lobby.refused() == 4  # there was nothing that could be wrong
        async with lobby.visitor(token="garbage") as visitor:
            statuses = [(await visitor.get("/auth/me")).status_code for _ in range(450)]
        assert (statuses[0], statuses[-1]) == (401, 429)


async def test_signing_out_ends_this_sign_in_at_once(store: Store) -> None:
    async with open_lobby(store) as lobby:
        await lobby.register()
        here, there = await lobby.sign_in(), await lobby.sign_in()
        async with lobby.visitor(token=here["access_token"]) as visitor:
            assert (await visitor.post("/auth/logout")).status_code == 204
            assert (await visitor.post("/auth/logout")).status_code == 401
        assert (await lobby.me(here["access_token"])).status_code == 401
        assert (await lobby.refresh(here["refresh_token"])).status_code == 401
        assert (await lobby.me(there["access_token"])).status_code == 200


async def test_signing_out_everywhere_ends_all_of_the_account_and_no_others(store: Store) -> None:
    async with open_lobby(store) as lobby:
        await lobby.register()
        await lobby.register("bo@example.com")
        here, there = await lobby.sign_in(), await lobby.sign_in()
        other = await lobby.sign_in("bo@example.com")
        async with lobby.visitor(token=here["access_token"]) as visitor:
            ended = await visitor.post("/auth/logout", json={"everywhere": True})
            assert ended.status_code == 204
        for tokens in (here, there):
            assert (await lobby.me(tokens["access_token"])).status_code == 401
            assert (await lobby.refresh(tokens["refresh_token"])).status_code == 401
        assert (await lobby.me(other["access_token"])).status_code == 200
        assert (await lobby.me((await lobby.sign_in())["access_token"])).status_code == 200


async def changed(lobby: Lobby, token: str, current: str, new: str) -> httpx.Response:
    async with lobby.visitor(token=token) as visitor:
        wish = {"current_password": current, "new_password": new}
        return await visitor.post("/auth/password", json=wish)


async def test_a_new_password_ends_all_other_sign_ins(store: Store) -> None:
    async with open_lobby(store) as lobby:
        await lobby.register()
        here, there = await lobby.sign_in(), await lobby.sign_in()
        assert (await changed(lobby, here["access_token"], "wrong", "new horse")).status_code == 403
        assert (await changed(lobby, here["access_token"], PASSWORD, "short")).status_code == 422
        done = await changed(lobby, here["access_token"], PASSWORD, "new horse")
        assert done.status_code == 204, done.text
        assert (await lobby.me(there["access_token"])).status_code == 401
        assert (await lobby.refresh(there["refresh_token"])).status_code == 401
        assert (await lobby.me(here["access_token"])).status_code == 200
        assert (await lobby.refresh(here["refresh_token"])).status_code == 200
        assert (await tries(lobby)).status_code == 401
        assert (await tries(lobby, password="new horse")).status_code == 200


async def test_guesses_at_the_current_password_are_throttled() -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        token = (await lobby.sign_in())["access_token"]
        answers = [await changed(lobby, token, f"wrong {one}", "new horse") for one in range(11)]
        assert [one.status_code for one in answers] == [403] * 10 + [429]


@pytest.mark.schedules(5)
async def test_of_two_new_passwords_at_once_one_is_set() -> None:
    async with open_lobby(disk=Disk(0.01)) as lobby:
        await lobby.register()
        first, second = await lobby.sign_in(), await lobby.sign_in()
        answers = await all_of(
            partial(changed, lobby, first["access_token"], PASSWORD, "first horse"),
            partial(changed, lobby, second["access_token"], PASSWORD, "second horse"),
        )
        assert sorted(one.status_code for one in answers) in ([204, 401], [204, 403])
        held = [(await lobby.me(tokens["access_token"])).status_code for tokens in (first, second)]
        assert held == [200 if one.status_code == 204 else 401 for one in answers]


async def test_a_crash_is_hidden_and_nobody_is_signed_out() -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        await lobby.register()
        tokens = await lobby.sign_in()
        results: list[Any] = []

        async def look() -> None:
            results.append((await lobby.me(tokens["access_token"])).status_code)

        async def crash() -> None:
            with pytest.raises(ActorCrashed):
                await lobby.ref.ask(CrashAccounts())

        await all_of(look, crash, look, crash, look)
        assert results == [200] * 3
        assert store.broken_promises() == []


async def test_who_is_known_is_answered_without_the_database_and_memory_is_bounded() -> None:
    store = FaultyStore()
    async with open_lobby(store, most=5) as lobby:
        tokens: list[str] = []
        for number in range(12):
            await lobby.register(f"u{number}@example.com", f"192.0.2.{number}")
            tokens.append((await lobby.sign_in(f"u{number}@example.com"))["access_token"])
        assert max((await lobby.ref.ask(CountAccounts())).values()) <= 5
        store.link.gone = True
        assert (await lobby.me(tokens[-1])).status_code == 200
        unknown = await lobby.me(tokens[0])
        assert (unknown.status_code, unknown.json()["reason"]) == (503, "ledger")
        store.link.gone = False
        for token in tokens:
            assert (await lobby.me(token)).status_code == 200


async def test_no_secret_is_logged_or_answered() -> None:
    async with open_lobby() as lobby:
        await lobby.register()
        tokens = await lobby.sign_in()
        await tries(lobby, password="wrong horse")
        await changed(lobby, tokens["access_token"], PASSWORD, "another horse")
        logged = str(lobby.lines)
        for secret in (PASSWORD, "wrong horse", "another horse", *list(tokens.values())[:2]):
            assert secret not in logged
        assert "argon2" not in logged
