"""A database that is not what it was: everybody is refused, and then the ledger ends."""

from __future__ import annotations

import pytest
import trio

from cafe.ledger.errors import LedgerChanged, LedgerUnavailable
from tests.cafe.ledger.shelves import GUESTBOOK, SHELF, Shop, fill, load_jars, open_shop, sign

pytestmark = pytest.mark.schedules(10)
SECONDS = 10.0


async def write_besides(shop: Shop) -> None:
    """Have somebody else write while the connection is lost."""
    with shop.store.link.transaction(writing=True) as connection:
        connection.exec_driver_sql("DELETE FROM events")
    shop.store.link.gone = True


@pytest.mark.parametrize("leaves", [False, True])
async def test_everybody_is_refused_before_the_ledger_ends(*, leaves: bool) -> None:
    told, lost_at = dict[str, str](), 0.0
    with pytest.RaisesGroup(LedgerChanged, flatten_subgroups=True, allow_unwrapped=True):
        async with open_shop(lost_seconds=SECONDS) as shop:
            shelf, book = await shop.open(SHELF), await shop.open(GUESTBOOK)
            await shop.told.ask(shelf, "before", fill("a"))
            await trio.sleep(2)
            await write_besides(shop)
            await shop.told.ask(shelf, "under way", fill("b"))
            await trio.sleep(2)
            for clerk, name, entry in (shelf, "gathered", fill("c")), (book, "too", sign("bo")):
                await shop.told.ask(clerk, name, entry)
            shop.store.link.gone = False
            await shop.ledger.wait_lost()
            lost_at = trio.current_time()
            await shop.told.ask(shelf, "after", fill("d"))
            with pytest.raises(LedgerUnavailable):
                await shop.ledger.read(load_jars)
            await shop.ledger.wait_written()  # nothing will be
            told = dict(shop.told.answers)
            if not leaves:
                await trio.sleep_forever()
    assert trio.current_time() - lost_at == pytest.approx(0 if leaves else SECONDS)
    refused = ("under way", "gathered", "too", "after")
    assert told == {"before": "written", **dict.fromkeys(refused, "LedgerUnavailable")}


async def test_where_nobody_is_to_leave_the_ledger_ends_at_once() -> None:
    with pytest.RaisesGroup(LedgerChanged, flatten_subgroups=True, allow_unwrapped=True):
        async with open_shop() as shop:
            clerk = await shop.open(SHELF)
            await shop.told.ask(clerk, "before", fill("a"))
            await trio.sleep(2)
            await write_besides(shop)
            await shop.told.ask(clerk, "under way", fill("b"))
            await trio.sleep(2)
            shop.store.link.gone = False
            await trio.sleep_forever()
    assert trio.current_time() < 10
