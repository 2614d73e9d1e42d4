"""Kill rounds: charges, refunds and orders agree, whenever the shop is killed or stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.killing_payments import play
from tests.system.paying import open_providers

KILLS = 3
"""The last is a SIGTERM."""

# httpx leaves an iterator of a request's body open when a customer hangs up while it is sent.
pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def test_killed_while_customers_pay_no_one_pays_twice_or_for_nothing(
    tmp_path: Path, seed: int
) -> None:
    with open_providers() as providers:
        tally = await play(f"sqlite:///{tmp_path / 'cafe.db'}", providers, kills=KILLS, seed=seed)
    print(tally)  # noqa: T201 - pytest shows it if it is asked to
    assert tally.charges > 0


async def test_the_same_holds_on_postgresql(postgresql: str, seed: int) -> None:
    with open_providers() as providers:
        tally = await play(postgresql, providers, kills=2, seed=seed)
    print(tally)  # noqa: T201 - as above
    assert tally.charges > 0
