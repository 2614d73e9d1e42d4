"""The tables of delivery on both databases: what is stored is loaded, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from cafe.delivery.courier import Courier, CourierWish, Duty, DutyAction, DutyChange
from cafe.delivery.delivery import LIVE, Delivery, Status
from cafe.delivery.department import DELIVERY
from cafe.delivery.districts import Districts
from cafe.delivery.fleet import AnyChange, Fleet, Who
from cafe.delivery.queries import (
    Snapshot,
    districts_of,
    find_by_account,
    find_courier,
    find_delivery,
    list_couriers,
    list_deliveries,
    list_districts,
    load_delivery,
)
from cafe.delivery.tables import (
    courier_of,
    couriers,
    deliveries,
    delivery_of,
    entry_of,
    entry_of_position,
    entry_of_row,
    row_of,
    row_of_courier,
)
from cafe.ledger.checking import check
from cafe.ledger.store import Store, Unit, open_store
from tests.cafe.ledger.test_migrations import connected, plans_of

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
TIMES = st.none() | st.floats(0, 4e9)
DELIVERIES = st.builds(
    Delivery,
    TEXTS,
    st.integers(1, 2**53),
    TEXTS,
    TEXTS,
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.floats(0, 4e9),
    st.none() | st.integers(1, 2**53),
    st.none() | TEXTS,
    st.sampled_from(Status),
    st.none() | TEXTS,
    st.integers(0, 9),
    st.none() | TEXTS,
    TIMES,
    TIMES,
    TIMES,
    TIMES,
    st.booleans(),
    st.none() | TEXTS,
)


@given(delivery=DELIVERIES)
def test_a_delivery_and_its_row_hold_the_same(delivery: Delivery) -> None:
    row = row_of(delivery)
    assert delivery_of(row) == delivery
    assert len(row) == len(deliveries.c)
    assert [one.name for one in deliveries.c] == list(Delivery._fields)


@given(duty=st.sampled_from(Duty), name=TEXTS, served=st.lists(TEXTS, unique=True))
def test_a_courier_and_the_rows_hold_the_same(duty: Duty, name: str, served: list[str]) -> None:
    courier = Courier("c", 7, name, "ada", duty, 1.5, 3, 70.25, 2, "2026-03-14", tuple(served))
    assert courier_of(row_of_courier(courier), served) == courier
    assert [one.name for one in couriers.c] == list(Courier._fields[:-1])


@pytest.fixture(params=["file", "postgresql"])
def store(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> Generator[Store]:
    with closing(open_store(new_url(request.param))) as opened:
        opened.begin()
        yield opened


class Town:
    """A fleet whose changes are committed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1000.0
        self.fleet = Fleet(100.0)
        self.districts = Districts()
        added = [self.districts.add(one, one.title(), 1.0, "Max") for one in ("north", "south")]
        self.commit([entry_of(one) for one in added])

    def commit(self, *units: Sequence[object]) -> None:
        """Commit several turns as one group; none is refused."""
        done = self.store.commit([Unit("delivery", tuple(unit)) for unit in units])  # type: ignore[arg-type] # entries
        assert not done.refused

    def turns(self, *turns: Sequence[AnyChange]) -> None:
        self.commit(*([entry_of(one) for one in changes] for changes in turns))

    def add(self, name: str, *served: str, account_id: str | None = None) -> list[AnyChange]:
        wanted = Courier(name, 0, name, account_id, districts=served or ("north",))
        return self.fleet.add_courier(wanted, self.now, "Max", on_duty=True)

    def request(self, order_id: str, district: str = "north") -> list[AnyChange]:
        to = Delivery(order_id, 0, district, district.title(), "Main St 1", "Box", 0.0)
        return self.fleet.request(to._replace(settled=False), self.now)

    def loaded(self) -> Snapshot:
        return self.store.read(load_delivery)

    def broken(self) -> list[str]:
        def read(connection: Connection) -> list[str]:
            found = check(connection, [DELIVERY])
            return [str(one) for one in found if one.findings]

        return self.store.read(read)


def test_what_is_loaded_is_what_was_committed(store: Store) -> None:
    town = Town(store)
    town.turns(town.add("ada", "south", "north", account_id="a1"), town.add("bo"))
    town.turns(town.request("o1"), town.request("o2"), town.request("o3", "south"))
    assert (town.fleet.deliveries["o1"].courier_id, town.fleet.deliveries["o3"].status) == (
        "ada",
        "waiting",
    )
    town.turns(town.fleet.finish("o1", 1060.0, "2026-03-14", Who("Di", "x")))
    town.turns(town.fleet.change_courier("bo", CourierWish(districts=("south",)), 1070.0, None))
    town.commit([entry_of_position(17)])
    loaded = town.loaded()
    assert [(one.name, one.number) for one in loaded.districts] == [("North", 1), ("South", 2)]
    assert list(loaded.couriers) == list(town.fleet.couriers.values())
    assert list(loaded.deliveries) == sorted(
        town.fleet.deliveries.values(), key=lambda one: one.sequence
    )
    assert (loaded.last_sequence, loaded.position) == (3, 17)
    ada = store.read(lambda connection: find_courier(connection, "ada"))
    assert ada is not None
    assert (ada.courier.districts, ada.courier.completed) == (("south", "north"), 1)
    assert ada.carries is not None
    assert ada.carries.order_id == "o3"
    assert store.read(lambda connection: find_by_account(connection, "a1")) == ada
    assert store.read(lambda connection: find_courier(connection, "x\x00")) is None
    assert store.read(lambda connection: find_delivery(connection, "x\x00")) is None
    assert store.read(lambda connection: list_couriers(connection, 1, 9))[0].courier.name == "bo"
    assert [one.name for one in store.read(lambda it: list_districts(it, 1, 9))] == ["South"]
    courier = ada.courier
    served = store.read(lambda connection: districts_of(connection, courier))
    assert [one.name for one in served] == ["South", "North"]
    listed = store.read(lambda connection: list_deliveries(connection, None, 3, 9))
    assert [one.order_id for one in listed] == ["o2", "o1"]
    listed = store.read(lambda connection: list_deliveries(connection, Status.DELIVERED, None, 9))
    assert [one.order_id for one in listed] == ["o1"]


def test_lists_leave_out_those_who_are_retired_if_wanted(store: Store) -> None:
    town = Town(store)
    town.turns(town.add("ada"), town.add("bo"), town.add("cleo"))
    town.turns(town.fleet.change_courier("bo", CourierWish(retired=True), 1070.0, None))
    closed = town.districts.change("north", None, True, 0, 1070.0, None)
    town.commit([entry_of(one) for one in closed])
    for retired, names in ((True, ["ada", "bo", "cleo"]), (False, ["ada", "cleo"])):
        listed = store.read(partial(list_couriers, behind=0, most=9, retired=retired))
        assert [one.courier.name for one in listed] == names
    for retired, names in ((True, ["North", "South"]), (False, ["South"])):
        found = store.read(partial(list_districts, behind=0, most=9, retired=retired))
        assert [one.name for one in found] == names
    (next_one,) = store.read(partial(list_couriers, behind=1, most=9, retired=False))
    assert next_one.courier.name == "cleo"


def test_a_hand_that_is_emptied_and_filled_in_one_group_is_no_conflict(store: Store) -> None:
    town = Town(store)
    town.turns(town.add("ada"), town.add("bo"))
    town.turns(*(town.request(f"o{number}") for number in range(6)))
    town.turns(
        town.fleet.fail("o0", "closed", 1001.0, Who()),
        town.fleet.fail("o1", "closed", 1001.0, Who()),
        town.fleet.retry("o0", 1001.0, Who()),
        town.fleet.cancel("o2", None, 1001.0, Who()),
        town.fleet.finish("o3", 1002.0, "2026-03-14", Who()),
    )
    assert sorted(one.order_id for one in town.loaded().deliveries if one.courier_id) == sorted(
        one.order_id for one in town.fleet.deliveries.values() if one.courier_id
    )
    assert not [one for one in town.broken() if "courier" in one]


def test_the_database_refuses_a_second_delivery_in_a_hand(store: Store) -> None:
    town = Town(store)
    town.turns(town.add("ada"))
    town.turns(town.request("o1"))
    second = town.fleet.deliveries["o1"]._replace(order_id="o2", sequence=2)
    done = store.commit([Unit("delivery", (entry_of_row(second),))])
    assert [one.reason for one in done.refused.values() if one] == ["conflict"]
    done = store.commit([Unit("delivery", (entry_of_row(second._replace(status=Status.FAILED)),))])
    assert not done.refused


def test_the_database_refuses_a_second_courier_with_an_account_and_a_second_name(
    store: Store,
) -> None:
    town = Town(store)
    town.turns(town.add("ada", account_id="a1"))
    second = Courier("bo", 2, "Bo", "a1")
    taken = DutyChange(DutyAction.ADD, None, second, 1.0)
    done = store.commit([Unit("delivery", (entry_of(taken),))])
    assert [one.reason for one in done.refused.values() if one] == ["conflict"]
    again = Districts().add("other", "NORTH", 1.0, None)
    again = again._replace(district=again.district._replace(number=3))
    done = store.commit([Unit("delivery", (entry_of(again),))])
    assert [one.reason for one in done.refused.values() if one] == ["conflict"]


def test_what_the_actor_starts_from_is_found_by_indexes(durable_url: str) -> None:
    open_store(durable_url).close()
    with connected(durable_url) as connection:
        plans = plans_of(connection, lambda: load_delivery(connection))
        assert any("ix_deliveries_kept" in plan for plan in plans)
        for status in LIVE:
            (plan,) = plans_of(
                connection,
                lambda one=status: list_deliveries(connection, one, 9, 9),  # type: ignore[misc] # bound
            )
            assert "ix_deliveries" in plan or "deliveries_sequence" in plan


def day(store: Store) -> Town:
    """Have a courier finish one of two deliveries, and one that waits elsewhere."""
    town = Town(store)
    town.turns(town.add("ada"), town.add("bo"), town.add("cleo", "south"))
    town.turns(*(town.request(f"o{number}") for number in range(5)))
    town.turns(town.fleet.finish("o0", 1060.0, "2026-03-14", Who()))
    town.turns(town.fleet.cancel("o3", None, 1061.0, Who()))
    town.commit([entry_of_position(1)])
    return town


def test_a_day_breaks_no_promise_on_either_database(store: Store) -> None:
    assert day(store).broken() == []
