"""What managers do: accounts, roles, and programs' tokens."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest

from cafe.ledger.store import Store
from tests.cafe.accounts.lobby import PASSWORD, Lobby, all_of, open_lobby
from tests.cafe.ledger.fakes import Disk, FaultyStore

BOSS, OTHER = "boss@example.com", "other@example.com"


async def patch(lobby: Lobby, user_id: str, **members: Any) -> httpx.Response:
    async with lobby.manager() as manager:
        return await manager.patch(f"/admin/users/{user_id}", json=members)


async def users(lobby: Lobby, query: str = "") -> list[dict[str, Any]]:
    """Return the users on all pages."""
    found: list[dict[str, Any]] = []
    async with lobby.manager() as manager:
        page: str | None = f"/admin/users{query}"
        while page is not None:
            response = await manager.get(page)
            assert response.status_code == 200, response.text
            found += response.json()["users"]
            page = response.links.get("next", {}).get("url")
    return found


async def test_an_account_that_was_added_signs_in_with_its_role(store: Store) -> None:
    async with open_lobby(store) as lobby:
        for role in ("customer", "barista", "courier", "manager"):
            await lobby.add(f"{role}@example.com", role)
            tokens = await lobby.sign_in(f"{role}@example.com")
            assert (await lobby.me(tokens["access_token"])).json()["role"] == role


async def test_a_new_role_and_a_disabled_account_hold_from_the_next_request_on(
    store: Store,
) -> None:
    async with open_lobby(store) as lobby:
        user_id = await lobby.register()
        tokens = await lobby.sign_in()
        async with lobby.staff(tokens["access_token"]) as user:
            assert (await user.get("/admin/tokens")).status_code == 403
            await patch(lobby, user_id, role="manager")
            assert (await user.get("/admin/tokens")).status_code == 200
            await lobby.add(BOSS, "manager")
            await patch(lobby, user_id, role="customer")
            assert (await user.get("/admin/tokens")).status_code == 403
            await patch(lobby, user_id, disabled=True)
            assert (await user.get("/admin/tokens")).status_code == 401
            assert (await lobby.refresh(tokens["refresh_token"])).status_code == 401
            await patch(lobby, user_id, disabled=False)
            assert (await user.get("/auth/me")).status_code == 401  # it has to sign in again
        assert (await lobby.me((await lobby.sign_in())["access_token"])).status_code == 200


async def test_users_are_listed_page_by_page(store: Store) -> None:
    async with open_lobby(store) as lobby:
        emails = [f"{letter}@example.com" for letter in "abcdefg"]
        for number, email in enumerate(reversed(emails)):
            await lobby.add(email, "barista" if number % 2 else "customer")
        assert [one["email"] for one in await users(lobby, "?limit=2")] == emails
        assert [one["email"] for one in await users(lobby)] == emails
        baristas = await users(lobby, "?limit=1&role=barista")
        assert [one["email"][0] for one in baristas] == ["b", "d", "f"]
        (found,) = await users(lobby, "?email=C@Example.com")
        assert set(found) == {
            "user_id",
            "email",
            "username",
            "role",
            "disabled",
            "registered_at",
        }
        assert await users(lobby, "?email=nobody@example.com") == []


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=", "cursor=YQ==", "limit=0", "role=boss", "email=ada", "email=%00"],
)
async def test_a_wrong_query_is_refused(query: str) -> None:
    async with open_lobby() as lobby, lobby.manager() as manager:
        assert (await manager.get(f"/admin/users?{query}")).status_code == 422


@pytest.mark.parametrize(
    "members",
    [{"role": "boss"}, {"role": 1}, {"disabled": 1}, {"disabled": "true"}, {"password": "x"}],
)
async def test_a_wrong_change_is_refused(members: dict[str, Any]) -> None:
    async with open_lobby() as lobby:
        user_id = await lobby.add(BOSS, "manager")
        assert (await patch(lobby, user_id, **members)).status_code == 422


async def test_an_unknown_user_is_a_404() -> None:
    async with open_lobby() as lobby:
        for user_id, status in (("nobody", 404), ("%00", 422), ("x" * 65, 422)):
            assert (await patch(lobby, user_id, disabled=True)).status_code == status


@pytest.mark.parametrize("members", [{"role": "customer"}, {"disabled": True}])
async def test_the_last_active_manager_stays(store: Store, members: dict[str, Any]) -> None:
    async with open_lobby(store) as lobby:
        boss, other = await lobby.add(BOSS, "manager"), await lobby.add(OTHER, "manager")
        assert (await patch(lobby, other, disabled=True)).status_code == 200
        refused = await patch(lobby, boss, **members)
        assert (refused.status_code, "last active manager" in refused.text) == (409, True)
        assert (await patch(lobby, boss, role="manager", disabled=False)).status_code == 200
        await patch(lobby, other, disabled=False)
        assert (await patch(lobby, boss, **members)).status_code == 200


@pytest.mark.schedules(10)
async def test_of_managers_who_demote_each_other_at_once_one_is_left() -> None:
    async with open_lobby(disk=Disk(0.01)) as lobby:
        ids = [await lobby.add(f"{one}@example.com", "manager") for one in "abc"]
        demoted = [partial(patch, lobby, ids[0], role="barista")]
        demoted += [partial(patch, lobby, one, disabled=True) for one in ids[1:]]
        statuses = sorted(one.status_code for one in await all_of(*demoted))
        assert statuses == [200, 200, 409]
        managers = await users(lobby, "?role=manager")
        assert len([one for one in managers if not one["disabled"]]) == 1


async def grant(lobby: Lobby, name: str = "till", role: str = "barista") -> httpx.Response:
    async with lobby.manager() as manager:
        return await manager.post("/admin/tokens", json={"name": name, "role": role})


async def test_a_programs_token_holds_until_it_is_revoked(store: Store) -> None:
    async with open_lobby(store) as lobby:
        granted = (await grant(lobby, role="manager")).json()
        assert set(granted) == {"name", "role", "granted_at", "token"}
        assert (await grant(lobby)).status_code == 409
        async with lobby.staff(granted["token"]) as program:
            listed = (await program.get("/admin/tokens")).json()["tokens"]
            assert [(one["name"], one["role"]) for one in listed] == [("till", "manager")]
            assert granted["token"] not in str(listed)
            assert (await program.get("/auth/me")).status_code == 403
            assert (await program.delete("/admin/tokens/till")).status_code == 204
            assert (await program.get("/admin/tokens")).status_code == 401
        async with lobby.manager() as manager:
            assert (await manager.delete("/admin/tokens/till")).status_code == 404
        again = (await grant(lobby)).json()
        assert again["token"] != granted["token"]


async def test_a_token_is_kept_hashed_and_never_logged() -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        token = (await grant(lobby)).json()["token"]
        with store.link.transaction(writing=False) as connection:
            driver: Any = connection.connection.driver_connection
            assert token not in "\n".join(driver.iterdump())
        assert token not in str(lobby.lines)


@pytest.mark.parametrize("role", ["customer", "courier", "boss", ""])
async def test_a_program_is_a_barista_or_a_manager(role: str) -> None:
    async with open_lobby() as lobby:
        assert (await grant(lobby, role=role)).status_code == 422


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "x" * 65, "a\n", "é"])
async def test_a_programs_name_is_plain(name: str) -> None:
    async with open_lobby() as lobby:
        assert (await grant(lobby, name)).status_code == 422


@pytest.mark.parametrize("name", ["x", "x" * 64, "till-2.north_east", "a..", "-", "_"])
async def test_a_token_that_can_be_granted_can_be_revoked(name: str) -> None:
    async with open_lobby() as lobby, lobby.manager() as manager:
        assert (await grant(lobby, name)).status_code == 201
        assert (await manager.delete(f"/admin/tokens/{name}")).status_code == 204


@pytest.mark.schedules(5)
async def test_of_many_tokens_with_one_name_at_once_one_is_granted() -> None:
    async with open_lobby(disk=Disk(0.01)) as lobby:
        answers = await all_of(*([partial(grant, lobby)] * 6))
        assert sorted(one.status_code for one in answers) == [201] + [409] * 5


async def test_events_say_who_did_it_and_the_checks_hold() -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        await lobby.add(BOSS, "manager")
        token = (await lobby.sign_in(BOSS))["access_token"]
        async with lobby.staff(token) as boss:
            wish = {"email": OTHER, "password": PASSWORD, "role": "customer"}
            user_id = (await boss.post("/admin/users", json=wish)).json()["user_id"]
            await boss.patch(f"/admin/users/{user_id}", json={"role": "barista", "disabled": True})
            await boss.post("/admin/tokens", json={"name": "till", "role": "barista"})
            await boss.delete("/admin/tokens/till")
        done = [(one.event.action, one.event.by) for one in store.logged]
        assert done[0] == ("add", "operator")
        by_boss = [action for action, by in done if by == BOSS]
        assert by_boss == ["add", "change role", "disable", "grant", "revoke"]
        assert store.broken_promises() == []
