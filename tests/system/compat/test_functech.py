"""Clients of functech: their accounts, their orders, and the statuses that staff move these to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import trio

from cafe.http.authentication import Role
from tests.system.api import LATER, problem
from tests.system.compat.answers import refusals
from tests.system.compat.functech import (
    AMERICANO,
    DONE,
    Someone,
    as_listed,
    fresh,
    newcomer,
    opened,
    order_and_move,
    our_status,
    someone,
)
from tests.system.credentials import PASSWORD, bearer, credentials
from tests.system.shop import Shop

pytestmark = pytest.mark.once

TWO = {"Americano": {"quantity": 2}}
ROUNDS = 50


def pair(response: httpx.Response) -> tuple[str, str]:
    """Check a new pair of tokens, and return it."""
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert body["token_type"] == "bearer"
    return body["access_token"], body["refresh_token"]


async def test_a_user_is_created_signs_in_is_shown_and_gets_new_tokens(moved: Shop) -> None:
    email, address = fresh()
    async with opened(moved, address, {}) as client:
        wish = {"username": "Ada", "email": email, "password": PASSWORD, "is_admin": True}
        created = await client.post("/auth/create_user", json=wish)
        assert created.status_code == 201
        body = created.json()
        user_id = body.pop("user_id")
        assert body == {"status_code": 201, "transaction": DONE}

        form = {"username": email, "password": PASSWORD, "scope": ""}
        access, refresh = pair(await client.post("/auth/token", data=form))
        me = await client.get("/auth/me", headers=bearer(access))
        assert me.status_code == 200
        assert me.json() == {"user_id": user_id, "username": "Ada", "email": email}

        in_query = {"refresh_token": refresh}
        _, second = pair(await client.post("/auth/refresh", params=in_query))
        access, _ = pair(await client.post("/auth/refresh", json={"refresh_token": second}))
        assert (await client.get("/auth/me", headers=bearer(access))).json()["user_id"] == user_id
        problem(await client.post("/auth/refresh", params={"refresh_token": access}), 401)


async def test_an_address_that_is_taken_makes_no_second_user(moved: Shop) -> None:
    async with newcomer(moved) as ada:
        wish = {"username": "Bo", "email": ada.email.upper(), "password": PASSWORD}
        problem(await ada.client.post("/auth/create_user", json=wish), 409)
        assert (await ada.client.get("/auth/me")).json()["username"] == "Ada"


@pytest.mark.parametrize(
    ("wrong", "member"),
    [
        ({"username": None}, "username"),
        ({"username": ""}, "username"),
        ({"email": "ada"}, "email"),
        ({"password": "short"}, "password"),
    ],
)
async def test_a_user_needs_a_name_an_address_and_a_password(
    moved: Shop, wrong: dict[str, Any], member: str
) -> None:
    async with someone(moved, None) as anyone:
        wish = {"username": "Ada", "email": fresh()[0], "password": PASSWORD}
        refused = await anyone.client.post("/auth/create_user", json={**wish, **wrong})
        assert [one["loc"] for one in problem(refused, 422)["errors"]] == [["body", member]]
        del wish[member]
        refused = await anyone.client.post("/auth/create_user", json=wish)
        assert [one["loc"] for one in problem(refused, 422)["errors"]] == [["body", member]]


async def test_wrong_credentials_and_tokens_are_refused(moved: Shop) -> None:
    async with someone(moved, None) as anyone:
        client = anyone.client
        form = {"username": fresh()[0], "password": PASSWORD}
        problem(await client.post("/auth/token", data=form), 401)
        problem(await client.post("/auth/token", json=form), 422)
        problem(await client.get("/auth/me"), 401)
        problem(await client.get("/auth/me", headers=bearer("no token")), 401)
        problem(await client.post("/auth/refresh", json={"refresh_token": "no token"}), 401)


async def test_a_refresh_token_is_sent_once(moved: Shop) -> None:
    async with someone(moved, None) as anyone:
        client = anyone.client
        for body in ({}, {"refresh_token": None}, None):
            problem(await client.post("/auth/refresh", json=body), 422)
        two = await client.post(
            "/auth/refresh", params={"refresh_token": "a"}, json={"refresh_token": "b"}
        )
        problem(two, 422)
        long = await client.post("/auth/refresh", params={"refresh_token": "x" * 5000})
        problem(long, 422)


# Orders


async def test_an_order_is_made_and_shown_as_documented(moved: Shop) -> None:
    async with newcomer(moved) as ada:
        wish = {
            "items": {"Latte": {"quantity": 2, "variation": "Vanilla", "note": "hot"}},
            "total_price": 8.6,
            "coupon": "x",
        }
        created = await ada.client.post("/orders/create_new_order", json=wish)
        assert created.status_code == 201, created.text
        body = created.json()
        order_id = body.pop("order_id")
        assert body == {"status_code": 201, "transaction": DONE}
        where = created.headers["location"].removeprefix("/compat/functech")
        response = await ada.client.get(where)
        assert response.status_code == 200
        shown = response.json()
        age = datetime.now().astimezone() - datetime.fromisoformat(shown.pop("created_at"))
        assert timedelta() <= age < timedelta(minutes=1)
        assert shown == {
            "order_id": order_id,
            "user_id": ada.user_id,
            "items": {"Latte": {"quantity": 2, "variation": "Vanilla"}},
            "total_price": 8.6,
            "status": "PENDING",
        }


@pytest.mark.parametrize(
    ("items", "errors"),
    [
        ({"Americano": {}, "Nectar": {}}, ["items[1]"]),
        ({"Nectar": {"variation": "Vanilla"}}, ["items[0]"]),
        ({"Latte": {"variation": "Glazed"}}, ["items[0]"]),
    ],
)
async def test_what_is_not_on_the_menu_is_named(moved: Shop, items: Any, errors: list[str]) -> None:
    async with someone(moved, Role.CUSTOMER) as customer:
        response = await customer.client.post("/orders/create_new_order", json={"items": items})
        assert [one["item"] for one in problem(response, 422)["errors"]] == errors


@pytest.mark.parametrize(
    "items",
    [None, [], {}, {"Latte": 2}, {"Latte": {"quantity": 0}}, {"Latte\0": {}}],
    ids=str,
)
async def test_items_are_an_object_of_objects(moved: Shop, items: Any) -> None:
    async with someone(moved, Role.CUSTOMER) as customer:
        response = await customer.client.post("/orders/create_new_order", json={"items": items})
        assert problem(response, 422)["errors"][0]["loc"][:2] == ["body", "items"]


async def test_products_and_variations_have_their_names_in_any_case_or_ids(moved: Shop) -> None:
    items = {"latte": {"variation": "VANILLA", "quantity": 2}, "iced-coffee": {"variation": None}}
    async with someone(moved, Role.CUSTOMER) as customer:
        order = await customer.order(await customer.create_order(items, total_price="12.10"))
        assert order["items"] == {
            "Latte": {"quantity": 2, "variation": "Vanilla"},
            "Iced Coffee": {"quantity": 1, "variation": None},
        }
        assert order["total_price"] == 12.1


@pytest.mark.parametrize("total_price", [5.99, "6.01", 600])
async def test_another_total_than_the_menus_is_refused(moved: Shop, total_price: Any) -> None:
    async with someone(moved, Role.CUSTOMER) as customer:
        wish = {"items": TWO, "total_price": total_price}
        refused = await customer.client.post("/orders/create_new_order", json=wish)
        assert problem(refused, 409)["total_cents"] == 600


@pytest.mark.parametrize("total_price", [-6, 6.001, "six", True])
async def test_a_total_is_a_decimal(moved: Shop, total_price: Any) -> None:
    async with someone(moved, Role.CUSTOMER) as customer:
        wish = {"items": TWO, "total_price": total_price}
        refused = await customer.client.post("/orders/create_new_order", json=wish)
        assert problem(refused, 422)["errors"][0]["loc"] == ["body", "total_price"]


@pytest.mark.parametrize("total_price", [0, "0.00", None, 6, 6.0, "6.00"])
async def test_a_total_of_zero_says_nothing(moved: Shop, total_price: Any) -> None:
    async with someone(moved, Role.CUSTOMER) as customer:
        order_id = await customer.create_order(TWO, total_price=total_price)
        assert (await customer.order(order_id))["total_price"] == 6.0


async def test_what_the_menu_sells_can_be_stated_however_much_it_costs(moved: Shop) -> None:
    async with (
        someone(moved, Role.CUSTOMER) as customer,
        moved.baristas(headers=await credentials(moved, Role.MANAGER)) as manager,
    ):
        product = {"name": "Functech's Machine", "base_price_cents": 100_000_000}
        assert (await manager.post("/admin/products", json=product)).status_code == 201
        items = {product["name"]: {"quantity": 100}}
        order_id = await customer.create_order(items, total_price=100_000_000)
        assert (await customer.order(order_id))["total_price"] == 100_000_000


async def test_only_customers_order(moved: Shop) -> None:
    for role, status in ((None, 401), (Role.BARISTA, 403), (Role.MANAGER, 403)):
        async with someone(moved, role) as caller:
            wish = {"items": AMERICANO}
            problem(await caller.client.post("/orders/create_new_order", json=wish), status)


async def test_an_order_is_shown_to_its_customer_and_to_staff_only(moved: Shop) -> None:
    async with (
        newcomer(moved) as ada,
        someone(moved, Role.CUSTOMER) as stranger,
        someone(moved, Role.BARISTA) as staff,
        someone(moved, Role.COURIER) as courier,
        someone(moved, None) as anyone,
    ):
        order_id = await ada.create_order()
        assert await ada.order(order_id) == await staff.order(order_id)
        problem(await anyone.client.get(f"/orders/{order_id}"), 401)
        problem(await courier.client.get(f"/orders/{order_id}"), 403)
        before = await refusals(moved, "unknown")
        theirs = problem(await stranger.client.get(f"/orders/{order_id}"), 404)
        none = problem(await stranger.client.get(f"/orders/{order_id[::-1]}"), 404)
        assert {**theirs, "instance": ""} == {**none, "instance": ""}
        problem(await staff.client.get("/orders/%00"), 404)
        assert await refusals(moved, "unknown") == before + 3


async def test_staff_see_orders_of_the_counter_which_have_no_account_and_no_price(
    moved: Shop,
) -> None:
    async with moved.customers() as counter, someone(moved, Role.BARISTA) as staff:
        order_id = (await counter.post("/order/", headers=LATER)).json()["order_id"]
        shown = await staff.order(order_id)
        del shown["created_at"]
        assert shown == {
            "order_id": order_id,
            "user_id": None,
            "items": {"americano": {"quantity": 1, "variation": None}},
            "total_price": None,
            "status": "PENDING",
        }


# Statuses


async def test_staff_move_an_order_on_to_shipped_and_hand_it_over(moved: Shop) -> None:
    async with newcomer(moved) as ada, someone(moved, Role.BARISTA) as staff:
        order_id = await ada.create_order()
        for new_status, ours in (
            ("PAID", "preparation"),
            ("SHIPPED", "ready"),
            ("SHIPPED", "delivered"),
        ):
            await staff.move(order_id, new_status)
            assert (await ada.order(order_id))["status"] == new_status
            assert await our_status(moved, ada, order_id) == ours
        again = problem(await staff.update(order_id, "SHIPPED"), 400)
        assert (again["order_status"], again["allowed"]) == ("delivered", [])
        await moved.settle()
        for action in ("start", "finish", "hand over"):
            assert moved.log.lines("order", action=action, barista=staff.email)


async def test_staff_cancel_an_order_while_it_waits(moved: Shop) -> None:
    async with newcomer(moved) as ada, someone(moved, Role.MANAGER) as staff:
        cancelled, started = await ada.create_order(), await ada.create_order()
        await staff.move(cancelled, "CANCELED", "CANCELED")
        await staff.move(started, "PAID")
        refused = problem(await staff.update(started, "CANCELED"), 409)
        assert refused["order_status"] == "preparation"
        assert (await ada.order(cancelled))["status"] == "CANCELED"
        assert (await ada.order(started))["status"] == "PAID"
        problem(await staff.update(cancelled, "PAID"), 400)
        await moved.settle()
        assert len(moved.log.lines("order", action="cancel", barista=staff.email)) == 1


async def test_no_order_skips_a_status_or_goes_back(moved: Shop) -> None:
    async with newcomer(moved) as ada, someone(moved, Role.BARISTA) as staff:
        order_id = await ada.create_order()
        wrong = {"PENDING": ("PENDING", "SHIPPED"), "PAID": ("PENDING", "PAID")}
        for status, others in wrong.items():
            for new_status in others:
                problem(await staff.update(order_id, new_status), 400)
            assert (await ada.order(order_id))["status"] == status
            await staff.move(order_id, "PAID" if status == "PENDING" else "SHIPPED")
        for new_status in ("PENDING", "PAID"):
            problem(await staff.update(order_id, new_status), 400)
        problem(await staff.update(order_id, "CANCELED"), 409)
        assert (await ada.order(order_id))["status"] == "SHIPPED"


async def test_an_order_that_there_is_not_cannot_be_updated(moved: Shop) -> None:
    async with newcomer(moved) as ada, someone(moved, Role.BARISTA) as staff:
        before = await refusals(moved, "unknown")
        gone = (await ada.create_order())[::-1]
        for new_status in ("PENDING", "PAID", "SHIPPED", "CANCELED"):
            problem(await staff.update(gone, new_status), 404)
        assert await refusals(moved, "unknown") == before + 4


async def test_an_update_names_an_order_and_one_of_four_statuses(moved: Shop) -> None:
    async with someone(moved, Role.BARISTA) as staff:
        for wish, member in (
            ({"order_id": "x", "new_status": "DELIVERED"}, "new_status"),
            ({"order_id": "x"}, "new_status"),
            ({"order_id": 17, "new_status": "PAID"}, "order_id"),
        ):
            refused = problem(await staff.client.patch("/orders/update", json=wish), 422)
            assert [one["loc"] for one in refused["errors"]] == [["body", member]]


async def test_no_one_but_staff_updates_an_order(moved: Shop) -> None:
    async with newcomer(moved) as ada:
        order_id = await ada.create_order()
        for role, status in ((None, 401), (Role.CUSTOMER, 403), (Role.COURIER, 403)):
            async with someone(moved, role) as caller:
                for new_status in ("PAID", "CANCELED"):
                    problem(await caller.update(order_id, new_status), status)
        problem(await ada.update(order_id, "CANCELED"), 403)
        assert (await ada.order(order_id))["status"] == "PENDING"


async def test_what_a_courier_brings_is_handed_over_by_its_courier_only(moved: Shop) -> None:
    manager = await credentials(moved, Role.MANAGER)
    async with moved.baristas(headers=manager) as worker, someone(moved, Role.BARISTA) as staff:
        assert (await worker.post("/districts", json={"name": "Functech"})).status_code == 201
        box = {"name": "A box", "district": "Functech", "queue": True}
        published = await worker.post("/deliveries", json=box)
        assert published.status_code == 202, published.text
        order_id = published.json()["order_id"]
        problem(await staff.update(order_id, "SHIPPED"), 409)
        shown = await staff.order(order_id)
        assert shown["items"] == {"A box": {"quantity": 1, "variation": None}}
        assert (shown["user_id"], shown["status"]) == (None, "SHIPPED")


async def test_of_many_who_make_the_same_update_one_does(moved: Shop) -> None:
    async with newcomer(moved) as ada, someone(moved, Role.BARISTA) as staff:
        order_id = await ada.create_order()
        statuses: list[int] = []

        async def update() -> None:
            statuses.append((await staff.update(order_id, "PAID")).status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(update)
        assert sorted(statuses) == [200] + [400] * 7


# Lists


async def test_a_users_orders_are_listed_to_the_user_and_to_staff_the_newest_first(
    moved: Shop,
) -> None:
    async with newcomer(moved) as ada, someone(moved, Role.BARISTA) as staff:
        assert await ada.listed() == []
        ids = [await ada.create_order() for _ in range(3)]
        listed = await ada.listed()
        assert [one["order_id"] for one in listed] == ids[::-1]
        assert listed == [await ada.order(one) for one in ids[::-1]]
        assert await ada.listed(ada.user_id) == listed
        assert await staff.listed(ada.user_id) == listed
        assert await staff.listed("another") == []
        assert await staff.listed() == []
        for unfit in ("%00", "%FF", "a%20b", "x" * 65):
            problem(await staff.client.get(f"/orders/user/{unfit}"), 422)


async def test_a_long_list_has_pages(moved: Shop) -> None:
    async with newcomer(moved) as ada:
        ids = [await ada.create_order() for _ in range(3)]
        for whose in ("orders", ada.user_id):
            first = await ada.client.get(f"/orders/user/{whose}", params={"limit": 2})
            assert [one["order_id"] for one in first.json()] == ids[:0:-1]
            assert [one["order_id"] for one in await ada.listed(f"{whose}?limit=2")] == ids[::-1]
            for wrong in ({"limit": 0}, {"limit": 101}, {"cursor": "x"}):
                problem(await ada.client.get(f"/orders/user/{whose}", params=wrong), 422)


async def test_a_program_of_the_staff_has_no_orders_of_its_own(moved: Shop) -> None:
    async with newcomer(moved) as ada, moved.baristas() as worker:
        await ada.create_order()
        manager = await credentials(moved, Role.MANAGER)
        wish = {"name": "functech", "role": "barista"}
        granted = await worker.post("/admin/tokens", json=wish, headers=manager)
        assert granted.status_code == 201, granted.text
        async with opened(moved, "127.0.0.1", bearer(granted.json()["token"])) as client:
            program = Someone(client)
            assert await program.listed() == []
            assert len(await program.listed(ada.user_id)) == 1
            problem(await client.get("/auth/me"), 403)


async def test_a_list_of_another_users_orders_is_refused_whether_there_is_one_or_not(
    moved: Shop,
) -> None:
    async with newcomer(moved) as ada, someone(moved, Role.CUSTOMER) as stranger:
        await ada.create_order()
        answers = [
            problem(await stranger.client.get(f"/orders/user/{whose}"), 403)
            for whose in (ada.user_id, ada.user_id[::-1], "1")
        ]
        assert len({str({**one, "instance": ""}) for one in answers}) == 1
    async with someone(moved, None) as anyone, someone(moved, Role.COURIER) as courier:
        for whose in ("orders", ada.user_id):
            problem(await anyone.client.get(f"/orders/user/{whose}"), 401)
            problem(await courier.client.get(f"/orders/user/{whose}"), 403)


async def test_a_list_is_never_stale(moved: Shop) -> None:
    async with (
        newcomer(moved) as ada,
        newcomer(moved) as other,
        someone(moved, Role.BARISTA) as staff,
    ):
        expected: list[tuple[str, str]] = []
        for number in range(ROUNDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(order_and_move, other, staff)
                expected.insert(0, (await ada.create_order(), "PENDING"))
                assert await as_listed(ada) == expected
                order_id = expected[0][0]
                for new_status in ("CANCELED",) if number % 2 else ("PAID", "SHIPPED"):
                    await staff.move(order_id, new_status)
                    expected[0] = order_id, new_status
                    assert await as_listed(ada) == expected
            assert await as_listed(staff, ada.user_id) == expected
