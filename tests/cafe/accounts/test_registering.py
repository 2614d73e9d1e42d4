"""Registering: who may, with what, and how often; on every kind of database."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from sqlalchemy import select

from cafe.accounts.tables import accounts
from cafe.accounts.throttle import REGISTER_TRIES
from cafe.ledger.store import Store
from tests.cafe.accounts.lobby import EMAIL, PASSWORD, Lobby, all_of, open_lobby
from tests.cafe.ledger.fakes import Disk, FaultyStore

WISH = {"email": "Ada@Example.com", "password": PASSWORD, "username": "Ada"}


async def register(lobby: Lobby, address: str = "192.0.2.1", **members: Any) -> tuple[int, Any]:
    async with lobby.visitor(address) as visitor:
        response = await visitor.post("/auth/register", json={**WISH, **members})
        return response.status_code, response.json()


async def test_a_registration_makes_a_customer(store: Store) -> None:
    async with open_lobby(store) as lobby:
        status, user = await register(lobby)
        assert (status, set(user)) == (201, {"user_id", "email", "username", "role"})
        shown = (user["email"], user["username"], user["role"])
        assert shown == ("Ada@example.com", "Ada", "customer")
        async with lobby.visitor() as visitor:
            response = await visitor.post("/auth/register", json={**WISH, "username": None})
        assert response.status_code == 409


async def test_of_twenty_who_register_an_address_at_once_one_does(store: Store) -> None:
    spellings = ["ada@example.com", "ADA@example.com", "Ada@EXAMPLE.com", "aDa@eXample.com"]
    async with open_lobby(store) as lobby:
        answers = await all_of(
            *(partial(register, lobby, email=spellings[one % 4]) for one in range(20))
        )
        assert sorted(status for status, _ in answers) == [201, *([409] * 19)]
        rows = await lobby.ledger.read(lambda found: found.execute(select(accounts)).all())
        assert [row.folded for row in rows] == [EMAIL]
        assert lobby.ref.statistics().crashed == 0


@pytest.mark.schedules(10)
async def test_whatever_the_schedule_one_of_many_registers() -> None:
    async with open_lobby(disk=Disk(0.01)) as lobby:
        answers = await all_of(*(partial(register, lobby) for _ in range(8)))
        assert sorted(status for status, _ in answers) == [201, *([409] * 7)]


WRONG: dict[str, dict[str, Any]] = {
    "a name and an address": {"email": "Ada <ada@example.com>"},
    "no domain": {"email": "ada"},
    "two addresses": {"email": "a@example.com,b@example.com"},
    "a local domain": {"email": "ada@cafe.local"},
    "a NUL in the address": {"email": "a\0da@example.com"},
    "a long address": {"email": f"{'a' * 250}@example.com"},
    "a number": {"email": 7},
    "a short password": {"password": "1234567"},
    "a long password": {"password": "x" * 257},
    "a very long password": {"password": "x" * 2_000},
    "seven letters in NFC": {"password": "e\u0301" * 7},
    "a NUL in the password": {"password": "1234\00005678"},
    "a tab in the password": {"password": "1234\t5678"},
    "no password": {"password": None},
    "an empty name": {"username": ""},
    "a long name": {"username": "x" * 81},
    "a line feed in the name": {"username": "A\nda"},
    "a role": {"role": "manager"},
}


@pytest.mark.parametrize("members", WRONG.values(), ids=WRONG)
async def test_what_cannot_be_registered_is_refused_and_not_echoed(members: dict[str, Any]) -> None:
    async with open_lobby() as lobby:
        status, problem = await register(lobby, **members)
        assert status == 422
        assert PASSWORD not in str(problem)
        (given,) = members.values()
        assert all(set(one) == {"loc", "type", "message"} for one in problem["errors"])
        assert len(str(given)) < 3 or str(given) not in problem["detail"]


async def test_a_lone_surrogate_is_refused() -> None:
    async with open_lobby() as lobby, lobby.visitor() as visitor:
        for member in WISH:
            body = '{"email":"b@example.com","password":"12345678","username":"B"}'.replace(
                f'"{member}":"', f'"{member}":"\\ud800'
            )
            headers = {"Content-Type": "application/json"}
            response = await visitor.post("/auth/register", content=body, headers=headers)
            assert response.status_code in {400, 422}, member


@pytest.mark.parametrize(
    ("password", "typed"),
    [
        ("  spaces kept  ", "  spaces kept  "),
        ("cafe\u0301 au lait", "caf\u00e9 au lait"),
        ("caf\u00e9 au lait", "cafe\u0301 au lait"),
        ("e\u0301" * 256, "\u00e9" * 256),
        ("12345678", "12345678"),
    ],
)
async def test_a_password_keeps_its_spaces_and_is_compared_in_nfc(
    password: str, typed: str
) -> None:
    async with open_lobby() as lobby, lobby.visitor() as visitor:
        status, _ = await register(lobby, password=password)
        assert status == 201
        form = {"username": EMAIL, "password": typed}
        assert (await visitor.post("/auth/token", data=form)).status_code == 200
        form["password"] = typed.strip() + "."
        assert (await visitor.post("/auth/token", data=form)).status_code == 401


async def test_passwords_are_kept_as_argon2id() -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        await lobby.register()
        (row,) = await lobby.ledger.read(lambda found: found.execute(select(accounts)).all())
        assert row.password_hash.startswith("$argon2id$")
        assert PASSWORD not in str(row)


async def test_an_address_registers_ten_an_hour_and_others_are_not_counted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_lobby() as lobby:
        for number in range(10):
            assert (await register(lobby, email=f"u{number}@example.com"))[0] == 201
            if number < 9:  # one that is refused is no account
                assert (await register(lobby, email="u0@example.com"))[0] == 409
            autojump_clock.jump(1.0)
        async with lobby.visitor() as visitor:
            refused = await visitor.post("/auth/register", json=WISH)
        assert (refused.status_code, refused.json()["limit"]) == (429, "register")
        assert 3_585 <= int(refused.headers["Retry-After"]) <= 3_590
        assert (await register(lobby, "192.0.2.2"))[0] == 201
        autojump_clock.jump(3_590.0)
        assert (await register(lobby, email="another@example.com"))[0] == 201
        assert (await register(lobby, email="one.more@example.com"))[0] == 429


async def test_an_address_cannot_find_out_which_addresses_are_taken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_lobby() as lobby:
        await lobby.register(address="192.0.2.2")
        tried = [(await register(lobby))[0] for _ in range(REGISTER_TRIES)]
        assert tried == [409] * REGISTER_TRIES
        async with lobby.visitor() as visitor:
            refused = await visitor.post("/auth/register", json=WISH)
        assert (refused.status_code, refused.json()["limit"]) == (429, "register")
        assert 3_590 <= int(refused.headers["Retry-After"]) <= 3_600
        assert (await register(lobby, email="free@example.com"))[0] == 429
        assert (await register(lobby, "192.0.2.3"))[0] == 409
        autojump_clock.jump(3_600.0)
        assert (await register(lobby, email="free@example.com"))[0] == 201


async def test_thirty_at_once_register_no_more_than_ten() -> None:
    async with open_lobby(disk=Disk(0.001)) as lobby:
        asked = [partial(register, lobby, email=f"u{one}@example.com") for one in range(30)]
        statuses = [status for status, _ in await all_of(*asked)]
        assert sorted(statuses) == [201] * 10 + [429] * 20


async def test_an_outage_is_a_503_and_a_registration_may_be_repeated(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        store.link.gone = True
        began = autojump_clock.current_time()
        status, problem = await register(lobby)
        assert (status, problem["reason"]) == (503, "ledger")
        assert autojump_clock.current_time() - began <= 5.0
        store.link.gone = False
        assert (await register(lobby))[0] == 201
        assert lobby.ref.statistics().crashed == 0


async def test_a_commit_whose_answer_is_lost_registers_once() -> None:
    store = FaultyStore()
    async with open_lobby(store) as lobby:
        store.link.mute = 1
        assert (await register(lobby))[0] == 201
        assert (await register(lobby))[0] == 409
        assert store.broken_promises() == []
