"""The MenuKeeper: what is on the board is committed, whatever crashes, is refused or is away."""

from __future__ import annotations

import pytest
import trio

from actors import open_system
from actors.testing import settle
from cafe.ledger.database import Link
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.menu.catalogue import ProductWish, VariationWish
from cafe.menu.department import open_menu
from cafe.menu.messages import (
    AddProduct,
    ChangeProduct,
    CountProducts,
    DeleteProduct,
    ReadMenu,
    ReplaceMenu,
)
from cafe.menu.refusals import NameTaken, NotAMenu, UnknownProduct
from tests.cafe.house import empty_house
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.menu.kitchen import TEA, open_kitchen
from tests.cafe.menu.menus import first_catalogue, wish_of
from tests.cafe.orders.counter import open_ledger

pytestmark = pytest.mark.schedules(5)

FIRST = ["Americano", "Latte", "Espresso", "Macchiato", "Iced Coffee", "Donuts"]
REFUSE = """
    CREATE TRIGGER refuse_tea BEFORE INSERT ON products WHEN NEW.name = 'Tea'
    BEGIN SELECT RAISE(ABORT, 'no tea') ; END
"""


def change(store: FaultyStore, statement: str) -> None:
    with Link.transaction(store.link, writing=True) as connection:
        connection.exec_driver_sql(statement)


async def test_the_first_start_puts_the_first_menu_on_the_board() -> None:
    async with open_kitchen() as kitchen:
        assert kitchen.board.menu.products == first_catalogue().menu.products
        assert [one.event.action for one in kitchen.store.logged] == ["add"] * 6
        assert kitchen.broken() == []
        store = kitchen.store.survivor()
    async with open_kitchen(store) as again:
        assert again.names() == FIRST
        assert again.actions() == []


async def test_the_shop_opens_with_the_menu_on_the_board() -> None:
    async with open_ledger() as ledger, open_system() as system:
        offer = await open_menu(empty_house(system, ledger))
        assert offer.board.menu.names() == FIRST
        assert await offer.answers() == 6


async def test_an_operator_who_deletes_everything_does_not_get_it_back() -> None:
    async with open_kitchen() as kitchen:
        await kitchen.ask(ReplaceMenu(()))
        assert kitchen.names() == []
        store = kitchen.store.survivor()
    async with open_kitchen(store) as again:
        assert again.names() == []
        assert [action for _, action in again.actions()] == ["delete"] * 6
        assert again.broken() == []


async def test_a_change_is_on_the_board_when_it_is_answered_and_not_before_it_is_committed() -> (
    None
):
    async with open_kitchen() as kitchen:
        kitchen.disk.seconds = 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kitchen.ask, AddProduct(TEA, "ada"))
            await settle()
            assert await kitchen.ref.ask(CountProducts()) == 7
            await trio.sleep(0.5)
            assert kitchen.names() == FIRST
        assert kitchen.names() == [*FIRST, "Tea"]
        (event,) = [one.event for one in kitchen.store.logged if one.event.subject == "tea"]
        assert (event.action, event.by) == ("add", "ada")


async def test_changes_that_follow_each_other_are_shown_in_the_order_of_their_commits() -> None:
    async with open_kitchen() as kitchen:
        kitchen.disk.seconds = 1
        async with trio.open_nursery() as nursery:
            for cents in range(5):
                wish = ProductWish(base_price_cents=cents)
                nursery.start_soon(kitchen.ask, ChangeProduct("latte", wish))
        assert kitchen.board.menu.by_id["latte"].base_price_cents in range(5)
        assert kitchen.actions() == [("latte", "change")] * 5


@pytest.mark.parametrize("seconds", [0.5, 1.5])
async def test_a_manager_that_disconnects_may_repeat_the_request(seconds: float) -> None:
    async with open_kitchen() as kitchen:
        kitchen.disk.seconds = 1
        with trio.move_on_after(seconds):
            await kitchen.ask(AddProduct(TEA))
        await kitchen.ask(AddProduct(TEA))
        assert kitchen.names() == [*FIRST, "Tea"]
        assert kitchen.actions() == [("tea", "add")]


async def test_a_crash_before_the_commit_is_hidden_from_the_manager() -> None:
    async with open_kitchen() as kitchen:
        kitchen.disk.seconds = 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kitchen.ask, AddProduct(TEA))
            nursery.start_soon(kitchen.ask, DeleteProduct("latte"))
            await settle()
            await kitchen.crash()
        assert kitchen.names() == [one for one in [*FIRST, "Tea"] if one != "Latte"]
        assert sorted(kitchen.actions()) == [("latte", "delete"), ("tea", "add")]
        assert kitchen.broken() == []


async def test_after_a_kill_the_board_shows_what_was_committed() -> None:
    async with open_kitchen() as kitchen:
        await kitchen.ask(ChangeProduct("latte", ProductWish(sold_out=True)))
        await kitchen.ask(DeleteProduct("donuts"))
        store = kitchen.store.survivor()
    async with open_kitchen(store) as again:
        assert again.board.menu.names() == ["Americano", "Espresso", "Macchiato", "Iced Coffee"]
        assert again.board.menu.by_id["latte"].sold_out
        assert again.broken() == []
        await again.ask(DeleteProduct("donuts"))
        with pytest.raises(UnknownProduct):
            await again.ask(ChangeProduct("donuts", ProductWish(sold_out=True)))


async def test_a_row_that_is_refused_fails_alone_and_what_was_before_is_shown() -> None:
    async with open_kitchen() as kitchen:
        change(kitchen.store, REFUSE)
        with pytest.raises(NotRecorded):
            await kitchen.ask(AddProduct(TEA))
        assert kitchen.names() == FIRST
        await kitchen.ask(AddProduct(ProductWish("milk", "Milk", base_price_cents=1)))
        assert kitchen.names() == [*FIRST, "Milk"]
        change(kitchen.store, "DROP TRIGGER refuse_tea")
        await kitchen.ask(AddProduct(TEA))
        assert kitchen.names() == [*FIRST, "Milk", "Tea"]
        assert kitchen.ref.statistics().crashed == 0
        assert kitchen.broken() == []


async def test_what_waits_behind_a_refused_row_is_asked_again() -> None:
    async with open_kitchen() as kitchen:
        change(kitchen.store, REFUSE)
        kitchen.disk.seconds = 1
        refused: list[str] = []

        async def add(name: str) -> None:
            try:
                await kitchen.ask(AddProduct(ProductWish(name.lower(), name, base_price_cents=1)))
            except NotRecorded:
                refused.append(name)

        async with trio.open_nursery() as nursery:
            for name in ("Tea", "Milk", "Cake"):
                nursery.start_soon(add, name)
        assert refused == ["Tea"]
        assert sorted(kitchen.names()) == sorted([*FIRST, "Milk", "Cake"])
        assert kitchen.broken() == []


async def test_during_an_outage_the_menu_is_shown_and_a_change_is_refused_in_time() -> None:
    async with open_kitchen() as kitchen:
        kitchen.store.link.gone = True
        began = trio.current_time()
        with pytest.raises(LedgerUnavailable):
            await kitchen.ask(DeleteProduct("latte"))
        assert trio.current_time() - began == pytest.approx(5.0)
        assert kitchen.names() == FIRST
        assert await kitchen.ref.ask(CountProducts()) == 5  # answers, so the actor lives
        kitchen.store.link.gone = False
        await kitchen.ask(DeleteProduct("latte"))
        assert kitchen.actions() == [("latte", "delete")]
        assert "Latte" not in kitchen.names()


async def test_a_refusal_that_rests_on_what_is_not_committed_waits_for_it() -> None:
    async with open_kitchen() as kitchen:
        kitchen.disk.seconds = 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kitchen.ask, AddProduct(TEA))
            await settle()
            began = trio.current_time()
            with pytest.raises(NameTaken):
                await kitchen.ask(AddProduct(TEA._replace(product_id="tee", name="TEA")))
            assert trio.current_time() > began


async def test_a_lost_answer_of_the_database_writes_nothing_twice() -> None:
    async with open_kitchen() as kitchen:
        kitchen.store.link.mute = 2
        await kitchen.ask(AddProduct(TEA))
        assert kitchen.actions() == [("tea", "add")]


async def test_two_managers_that_add_one_name_at_once_make_one_product() -> None:
    async with open_kitchen() as kitchen, trio.open_nursery() as nursery:
        outcomes: list[str] = []

        async def add(number: int) -> None:
            try:
                await kitchen.ask(AddProduct(TEA._replace(product_id=f"tea-{number}")))
                outcomes.append("added")
            except NameTaken:
                outcomes.append("taken")

        for number in range(5):
            nursery.start_soon(add, number)
        await settle()
        assert sorted(outcomes) == ["added", *["taken"] * 4]
        assert kitchen.names() == [*FIRST, "Tea"]


async def test_a_replacement_is_one_commit_and_one_wrong_product_changes_nothing() -> None:
    async with open_kitchen() as kitchen:
        wishes = [wish_of(one) for one in kitchen.board.menu.products[:3]]
        groups = kitchen.ledger.statistics().groups
        products = await kitchen.ask(ReplaceMenu((*wishes, TEA), "ada"))
        assert products is kitchen.board.menu.products
        assert kitchen.names() == ["Americano", "Latte", "Espresso", "Tea"]
        assert kitchen.ledger.statistics().groups == groups + 1
        wrong = TEA._replace(variations=(VariationWish(None, "Small", -201),))
        with pytest.raises(NotAMenu) as refused:
            await kitchen.ask(ReplaceMenu((*wishes[:1], wrong)))
        place = ["body", "products", 1, "variations", 0, "price_change_cents"]
        assert refused.value.errors[0]["loc"] == place
        assert kitchen.names() == ["Americano", "Latte", "Espresso", "Tea"]
        assert kitchen.broken() == []


async def test_a_reader_that_has_a_menu_keeps_it() -> None:
    async with open_kitchen() as kitchen:
        menu = kitchen.board.menu
        await kitchen.ask(DeleteProduct("latte"))
        assert menu.find("latte") is not None
        assert kitchen.board.menu.find("latte") is None
        assert (await kitchen.ask(ReadMenu())) is kitchen.board.menu.products
