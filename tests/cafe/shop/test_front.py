"""What a front of several shops has of its own, whether any house answers or not."""

from __future__ import annotations

from prometheus_client import generate_latest

from cafe.limits.rate_limiter import RateLimiter
from cafe.settings import read_settings
from cafe.shop.departments import OURS
from cafe.shop.front import open_shops
from cafe.shop.ports import Access

NO_REDIS = "redis://127.0.0.1:1/0"


async def test_the_one_actor_of_a_front_is_seen_at_each_of_its_shops() -> None:
    settings = read_settings({"bus": NO_REDIS, "shops": "north,south"})
    async with open_shops(settings, OURS, {}, Access("open")) as shops:
        for shop in shops.shops.values():
            assert RateLimiter.__name__ in str(shop.system.tree())
            metrics = generate_latest(shop.registry).decode()
            assert f'cafe_actor_crashed_total{{actor="{RateLimiter.__name__}"}}' in metrics
