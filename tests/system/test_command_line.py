"""The counter from the command line on a real shop: `cafe order`, `start`, `finish`, `orders`."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
from rich.console import Console

from cafe.cli.asking import LISTED, Answer, NotAnsweredError, Port
from cafe.cli.order_table import show_live
from tests.cafe.cli.running import run_command
from tests.system.shop import TOKEN, Shop

Cafe = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def cafe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cafe:
    """Return what runs a command, and returns its exit code and what it has printed."""
    for name in ("CAFE_URL", "CAFE_WORKER_URL", "CAFE_TOKEN", "CAFE_WORKER_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    async def run(*words: str) -> tuple[int, str, str]:
        code = await trio.to_thread.run_sync(run_command, words)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def at(shop: Shop, cafe: Cafe, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    """Return the same at the shared shop, which the variables name."""
    monkeypatch.setenv("CAFE_URL", shop.client)
    monkeypatch.setenv("CAFE_WORKER_URL", f"{shop.worker}/api/v1/worker/docs")
    return cafe


async def test_an_order_is_placed_listed_claimed_and_finished_in_sentences(at: Cafe) -> None:
    code, out, err = await at("order", "[red]Ada")
    assert (code, err) == (0, "")
    number = out.split()[1]
    assert out.startswith(f"Order {number} is number 1 in the queue.")
    _, out, _ = await at("orders")
    assert [number, "waiting", "americano", "[red]Ada", "0", "s"] in rows_of(out)
    assert await at("start") == (0, f"Order {number}: americano for [red]Ada.\n", "")
    assert await at("start") == (1, "", "cafe: No order waits.\n")
    code, out, err = await at("finish")
    assert (code, err) == (0, "")
    assert out == f"Order {number} is ready, brewed in 0 s.\n"
    assert await at("orders") == (0, "No order waits or is in preparation.\n", "")


async def test_programs_get_what_the_shop_has_answered(at: Cafe) -> None:
    placed = json.loads((await at("order", "--json"))[1])
    assert (placed["status"], placed["name"]) == ("waiting", None)
    listed = json.loads((await at("orders", "--json", "--watch"))[1])["orders"]
    assert [one["order_id"] for one in listed] == [placed["order_id"]]
    claim = json.loads((await at("start", "--json", "--barista", "Bo"))[1])
    assert (claim["order_id"], claim["barista"]) == (placed["order_id"], "Bo")
    finished = json.loads((await at("finish", str(placed["number"]), "--json"))[1])
    assert (finished["order_id"], finished["collected"]) == (placed["order_id"], True)


async def test_order_wait_returns_when_the_coffee_is_ready(shop: Shop, at: Cafe) -> None:
    ended: list[tuple[int, str, str]] = []

    async def wait() -> None:
        ended.append(await at("order", "Ada", "--wait"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        # Not by commands: two at a time would write into the same output.
        async with shop.baristas() as barista:
            claim = await barista.get("/start/", params={"wait": 30})
            await barista.post("/finish/", json={"order_id": claim.json()["order_id"]})
    ((code, out, err),) = ended
    assert (code, err) == (0, "")
    assert out.rstrip().endswith("is ready.")


async def test_a_cancelled_order_ends_the_waiting_with_exit_code_1(shop: Shop, at: Cafe) -> None:
    async def cancel() -> None:
        await shop.has_waiting(1)
        (order,) = await shop.orders()
        async with shop.customers() as customer:
            await customer.delete(f"/order/{order['order_id']}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancel)
        code, out, _ = await at("order", "--wait")
    assert code == 1
    assert out.endswith("is cancelled.\n")


async def test_finish_without_a_number_means_the_only_order_in_preparation(at: Cafe) -> None:
    assert await at("finish") == (1, "", "cafe: No order is in preparation.\n")
    numbers = [json.loads((await at("order", "--json"))[1])["number"] for _ in "ab"]
    await at("start", "--barista", "Bo")
    await at("start", "--barista", "Cy")
    said = f"Several orders are in preparation; name one of {numbers[0]}, {numbers[1]}."
    assert await at("finish") == (1, "", f"cafe: {said}\n")
    assert (await at("finish", "--barista", "Cy"))[1].startswith(f"Order {numbers[1]} is ready")
    assert (await at("finish", str(numbers[0])))[0] == 0
    said = f"Order {numbers[0]} neither waits nor is in preparation."
    assert await at("finish", str(numbers[0])) == (1, "", f"cafe: {said}\n")


async def test_orders_are_listed_beyond_one_page(shop: Shop, at: Cafe) -> None:
    async with shop.customers() as customer:
        for _ in range(3):
            await customer.post("/order/", headers={"Prefer": "respond-async"})
    answer = Port(shop.worker, "worker").get("/orders?limit=2", LISTED)
    assert answer.following is not None
    rest = Port(shop.worker, "worker").get(f"/orders?{answer.following}", LISTED)
    assert [len(page.body["orders"]) for page in (answer, rest)] == [2, 1]
    assert rest.following is None
    for _ in range(3):
        await at("start")
        await at("finish")


async def test_a_live_table_is_drawn_again_and_goes_on_when_the_shop_is_away(
    shop: Shop, at: Cafe
) -> None:
    class AwayOnce(Port):
        looks = 0

        def get(self, *args: Any, **options: Any) -> Answer:
            self.looks += 1
            if self.looks == 2:
                raise NotAnsweredError("The shop is away.")
            return super().get(*args, **options)

    def pause(_seconds: float) -> None:
        if port.looks == 1:
            run_command(["order", "[red]Ada"])
        if port.looks == 3:
            raise KeyboardInterrupt

    port = AwayOnce(shop.worker, "worker")
    console = Console(file=io.StringIO(), width=80, height=20, force_terminal=True)
    with pytest.raises(KeyboardInterrupt):
        await trio.to_thread.run_sync(partial(show_live, port, pause=pause, console=console))
    assert isinstance(console.file, io.StringIO)
    drawn = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", console.file.getvalue())
    *earlier, again = re.split("0 waiting, |The shop is away", drawn)
    assert len(earlier) >= 2
    assert "Ada" not in "".join(earlier)
    assert "1 waiting, 0 in preparation" in again
    assert "[red]Ada" in again
    await at("start")
    await at("finish")


async def test_a_shop_that_wants_a_token_gets_it_from_the_variable_of_either(
    guarded: Shop, cafe: Cafe, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = await cafe("orders", "--url", guarded.worker)
    assert (code, out) == (1, "")
    assert err.endswith(" Give --token, or set CAFE_TOKEN.\n")
    assert err.count("\n") == 1
    nothing = (0, "No order waits or is in preparation.\n", "")
    assert await cafe("orders", "--url", guarded.worker, "--token", TOKEN) == nothing
    for name in ("CAFE_TOKEN", "CAFE_WORKER_TOKEN"):
        with monkeypatch.context() as patched:
            patched.setenv(name, TOKEN)
            assert await cafe("orders", "--url", guarded.worker) == nothing


async def test_the_wrong_port_is_one_line_that_says_so(shop: Shop, cafe: Cafe) -> None:
    code, out, err = await cafe("orders", "--url", shop.client)
    assert (code, out) == (1, "")
    assert err.endswith(f"{shop.client} should be the baristas' port of the shop.\n")


def rows_of(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()]
