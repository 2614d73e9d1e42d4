"""The alerts for machines ask for metrics that houses and fronts have."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.machines.site import Site
from tests.system.test_monitoring import MACHINES_RULES, NAMES

pytestmark = [pytest.mark.once, pytest.mark.slow]

SAMPLE = re.compile(r"^(cafe_\w+) (\S+)$", re.MULTILINE)


async def test_each_metric_of_the_alerts_has_the_value_that_raises_none(site: Site) -> None:
    await site.open()
    houses = [await samples(one.url) for one in site.houses]
    fronts = [await samples(one.shop.worker) for one in site.fronts]
    assert sorted(one["cafe_house_owner"] for one in houses) == [0.0, 1.0]
    for name in ("cafe_bus_available", "cafe_house_available", "cafe_limits_shared"):
        assert [one[name] for one in fronts] == [1.0] * len(fronts)
    assert [one["cafe_bus_available"] for one in houses] == [1.0] * len(houses)
    asked_for = {name for rule in MACHINES_RULES for name in NAMES.findall(rule["expr"])}
    assert asked_for - houses[0].keys() - fronts[0].keys() == set()


async def samples(url: str) -> dict[str, float]:
    """Return the metrics at a port that have no labels."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{url}/metrics")
    return {name: float(value) for name, value in SAMPLE.findall(answer.text)}
