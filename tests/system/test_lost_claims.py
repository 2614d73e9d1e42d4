"""A barista who hangs up before its claim is answered has none: the order is the next one's."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.system.api import order, start
from tests.system.shop import open_shop, until_asked

START = b"GET /start/?barista=gone HTTP/1.1\r\nHost: cafe\r\n\r\n"
LEASE = 60.0
"""Seconds, longer than this test may take."""


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Let nothing be committed during the block."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


async def test_a_claim_whose_barista_hangs_up_before_the_answer_comes_back_at_once(
    tmp_path: Path,
) -> None:
    file = tmp_path / "cafe.db"
    with open_shop(database_url=f"sqlite:///{file}", lease_seconds=LEASE) as shop:
        async with shop.customers() as customer, shop.baristas() as barista:
            placed = [await order(customer) for _ in range(2)]
            with locked(file):
                async with await shop.connect(url=shop.worker) as gone:
                    await gone.send_all(START)

                    async def is_claimed() -> bool:
                        return await shop.metric('cafe_orders{status="preparation"}') == 1

                    await until_asked(is_claimed)
                await shop.log.line("request", route="/start", status=499)
            assert (await start(barista))["order_id"] == placed[0]["order_id"]
            await shop.settle()
        actions = [one["action"] for one in shop.log.lines("order", number=placed[0]["number"])]
        assert actions == ["place", "start", "release", "start"]
