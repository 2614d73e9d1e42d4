"""What `cafe import` does not take: one line that names the file, the line and the member."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cafe.cli.importer import (
    BROUGHT,
    COURIER,
    DISTRICT,
    ORDER,
    PRODUCT,
    TABLE,
    Importer,
)
from tests.cafe.compat.exports import HASH, USER

TOO_LONG = (
    "Checking this hash would hold up all who sign in: it may take 1 GiB of memory, 100 passes, "
    "and 4 GiB in all passes together."
)


@pytest.mark.parametrize(
    ("system", "lists", "said"),
    [
        (
            "functech",
            {"users": [USER, {**USER, "user_id": 2}]},
            ":3: users[1].email: Another user has this e-mail address.",
        ),
        (
            "functech",
            {"users": [{**USER, "password_hash": HASH.replace("m=65536", "m=9999999")}]},
            f":2: users[0].password_hash: {TOO_LONG}",
        ),
        (
            "functech",
            {"products": [PRODUCT, {"name": "LATTE", "price": 1}]},
            ":3: products[1].name: Another product has this name.",
        ),
        (
            "coffee-shop",
            {"products": [{**PRODUCT, "variations": [{"name": "A"}, {"name": "a"}]}]},
            ":2: products[0].variations[1].name: Another variation of the product has this name.",
        ),
        (
            "functech",
            {"users": [USER], "orders": [{**ORDER, "created_at": "2199-01-01T00:00:00"}]},
            ":3: orders[0].created_at: This is in the future.",
        ),
        (
            "restaurant-booking",
            {"tables": [TABLE, TABLE]},
            ":3: tables[1].id: Another table has this number.",
        ),
        (
            "courier-service",
            {"districts": [DISTRICT, {"sid": 2, "name": "north"}]},
            ":3: districts[1].name: Another district has this name.",
        ),
        (
            "courier-service",
            {"districts": [DISTRICT], "couriers": [{**COURIER, "districts": ["North", "South"]}]},
            ":3: couriers[0].districts[1]: There is no such district.",
        ),
        (
            "courier-service",
            {
                "districts": [{"sid": "1" * 56, "name": "North"}],
                "couriers": [{**COURIER, "sid": "1" * 56}],
            },
            ":2: districts[0].sid: A courier has this id, and `district-` does not fit before it.",
        ),
        (
            "courier-service",
            {"districts": [DISTRICT], "couriers": [COURIER, COURIER]},
            ":4: couriers[1].sid: Another courier or district has this id.",
        ),
        (
            "courier-service",
            {"districts": [DISTRICT], "couriers": [COURIER], "orders": [BROUGHT, BROUGHT]},
            ":5: orders[1].sid: Another order has this id.",
        ),
        (
            "courier-service",
            {
                "districts": [DISTRICT],
                "couriers": [COURIER],
                "orders": [BROUGHT, {**BROUGHT, "sid": 4}],
            },
            ":5: orders[1].courier_sid: The courier has another order in work.",
        ),
        (
            "courier-service",
            {"districts": [DISTRICT], "orders": [BROUGHT]},
            ":3: orders[0].courier_sid: There is no such courier in this file.",
        ),
    ],
)
def test_what_cannot_come_in_is_one_line_with_its_member(
    importer: Importer, system: str, lists: dict[str, list[Any]], said: str
) -> None:
    assert importer.refusal(system, **lists) == said
