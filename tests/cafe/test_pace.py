"""How long messages gather before a batch of them goes."""

from __future__ import annotations

import pytest
import trio

from cafe.pace import BUSY, FEW, LONGEST_SECONDS, Pace

pytestmark = pytest.mark.schedules


async def batches(pace: Pace, rate: float, seconds: float = 2.0) -> list[float]:
    """Send messages that come at this rate, in messages a second; return when batches went."""
    went: list[float] = []
    number = round(rate * seconds)
    gathered, sent, bell = 0, 0, trio.Event()

    async def send() -> None:
        nonlocal gathered, sent, bell
        while sent < number:
            await bell.wait()
            await pace.wait()
            pace.note(gathered)
            sent, gathered, bell = sent + gathered, 0, trio.Event()
            went.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        for _ in range(number):
            await trio.sleep(1 / rate)
            gathered += 1
            bell.set()
    return went


def mean_gap(went: list[float]) -> float:
    """Return the seconds between two batches in the second half, when the rate is known."""
    late = [at for at in went if at > (went[0] + went[-1]) / 2]
    return (late[-1] - late[0]) / (len(late) - 1)


async def test_the_first_message_goes_at_once() -> None:
    pace = Pace()
    await pace.wait()
    assert trio.current_time() == 0


@pytest.mark.parametrize("rate", [10, 100, 0.9 * FEW])
async def test_few_messages_go_at_once(rate: float) -> None:
    assert len(await batches(Pace(), rate)) == 2 * rate


async def test_the_more_messages_come_the_longer_they_gather() -> None:
    rates = (0.5 * BUSY, 0.8 * BUSY, BUSY)
    gaps = [mean_gap(await batches(Pace(), rate)) for rate in rates]
    assert gaps == sorted(gaps)
    assert gaps[0] > 2 / rates[0]


@pytest.mark.parametrize("rate", [1.2 * BUSY, 4 * BUSY])
async def test_in_a_rush_they_gather_for_the_longest_time_and_no_longer(rate: float) -> None:
    gap = mean_gap(await batches(Pace(), rate))
    assert gap == pytest.approx(LONGEST_SECONDS, abs=2 / rate)


async def test_after_a_rush_messages_go_at_once_again() -> None:
    pace = Pace()
    await batches(pace, 2 * BUSY)
    await trio.sleep(1)
    assert len(await batches(pace, 50)) == 100


async def test_what_comes_at_once_after_a_quiet_time_counts_as_a_rush() -> None:
    pace = Pace()
    pace.note(1)
    await trio.sleep(60)
    pace.note(round(BUSY))
    began = trio.current_time()
    await pace.wait()
    assert trio.current_time() - began == pytest.approx(LONGEST_SECONDS)
