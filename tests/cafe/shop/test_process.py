"""The waits of a shop: for the first of several, and for its own end; under every schedule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from cafe.shop.process import end_late, first_of

pytestmark = pytest.mark.schedules(5)


def after(seconds: float, answer: str, ended: list[str]) -> Callable[[], Awaitable[str]]:
    async def wait() -> str:
        try:
            await trio.sleep(seconds)
        except trio.Cancelled:
            ended.append(answer)
            raise
        return answer

    return wait


async def test_the_first_result_is_returned_and_the_other_waits_are_cancelled() -> None:
    cancelled: list[str] = []
    waits = [after(seconds, str(seconds), cancelled) for seconds in (3, 1, 2)]
    assert await first_of(*waits) == "1"
    assert trio.current_time() == 1
    assert sorted(cancelled) == ["2", "3"]


async def test_an_exception_of_one_cancels_the_others() -> None:
    cancelled: list[str] = []

    async def fail() -> str:
        raise ValueError("no")

    with pytest.raises(ExceptionGroup) as raised:
        await first_of(after(1, "late", cancelled), fail)
    assert raised.group_contains(ValueError, match="no")
    assert cancelled == ["late"]


async def test_what_hangs_is_cancelled_while_the_shop_closes_and_left_at_the_end() -> None:
    happened: list[tuple[str | int, float]] = []
    closing_time, scope = trio.Event(), trio.CancelScope()

    def leave(code: int) -> None:
        happened.append((code, trio.current_time()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_late, closing_time, 5.0, scope, leave)
        await trio.sleep(10)
        closing_time.set()
        with scope:
            await trio.sleep_forever()
        happened.append(("cancelled", trio.current_time()))
    assert happened == [("cancelled", 14.5), (0, 15)]
