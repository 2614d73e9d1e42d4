"""The metrics: what their owners answer at a scrape, and what is counted as it happens."""

from __future__ import annotations

from functools import partial

import pytest
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from actors import open_system
from actors.instruments.prometheus import PrometheusInstrument
from cafe.limits.admission import FRESH_SECONDS, Admission
from cafe.limits.rate_limiter import Admit, Limits, RateLimiter, RecordRefusals
from cafe.operations.metrics import Exposition
from cafe.orders.department import orders_offer
from cafe.orders.followers import OrderLog
from cafe.orders.messages import FinishOrder, PlaceOrder, StartOrder
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import BOARD, open_ledger, start_counter

ADDRESS = "192.0.2.1"


def figures(exposed: bytes) -> dict[str, float]:
    """Parse Prometheus's text; the keys are names followed by the labels' values."""
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(exposed.decode())
        for sample in family.samples
    }


@pytest.mark.schedules(1)
async def test_every_owner_is_asked_for_its_metrics() -> None:
    registry, client = CollectorRegistry(), Admission(per_address=1, total=10)
    worker = Admission(per_address=None, total=1)
    watching = PrometheusInstrument("cafe_actor")
    registry.register(watching)
    async with (
        open_ledger() as ledger,
        open_system(instruments=[watching]) as system,
        trio.open_nursery() as nursery,
    ):
        ledger.listen(OrderLog(registry).hear)
        desk, _ = await start_counter(system, nursery, ledger, FaultyStore())
        dispatcher = desk.dispatcher
        limiter = await system.start(partial(RateLimiter, Limits(ban_after=5)), name="RateLimiter")
        admissions = {"client": client, "worker": worker}
        offers = [orders_offer(desk, limiter, BOARD, ledger)]
        exposition = Exposition(registry, offers, desk.ledger, limiter, admissions)
        client.admit(ADDRESS)
        client.admit(ADDRESS)
        client.isolated += 1
        client.malformed += 2
        client.in_kernel = 2
        await shed_one(worker)
        await limiter.ask(Admit(ADDRESS))
        await limiter.ask(RecordRefusals((("192.0.2.66", 5),), "waiting"))
        for order_id in ("first", "second", "third"):
            message = PlaceOrder(order_id, "americano", None, ADDRESS, 400, bound=False)
            await dispatcher.ask(message)
        claims = [await dispatcher.ask(StartOrder()) for _ in range(2)]
        await trio.sleep(45)
        assert claims[0] is not None
        await dispatcher.ask(FinishOrder(claims[0].order.order_id))
        seen = figures(await exposition.expose())
        nursery.cancel_scope.cancel()
    assert {name: seen[name] for name in EXPECTED} == EXPECTED


async def shed_one(admission: Admission) -> None:
    """Fill it with an idle connection, and admit another one."""
    lease = admission.admit(ADDRESS)
    assert lease is not None
    lease.is_idle = lambda: True
    await trio.sleep(FRESH_SECONDS)
    assert admission.admit(ADDRESS) is not None


EXPECTED = {
    "cafe_orders waiting": 1,
    "cafe_orders preparation": 1,
    "cafe_orders ready": 1,
    "cafe_orders delivered": 0,
    "cafe_orders cancelled": 0,
    "cafe_queue_length": 1,
    "cafe_ledger_uncommitted": 0,
    "cafe_ledger_events_total": 6,
    "cafe_ledger_position": 6,
    "cafe_order_events_total place": 3,
    "cafe_order_events_total finish": 1,
    "cafe_baristas": 1,
    "cafe_order_wait_seconds_count": 1,
    "cafe_order_wait_seconds_sum": 45,
    "cafe_order_brewing_seconds_sum": 45,
    "cafe_order_brewing_seconds_bucket 45.0": 1,
    "cafe_order_brewing_seconds_bucket 30.0": 0,
    "cafe_refusals_total waiting": 5,
    "cafe_refusals_total requests": 0,
    "cafe_bans_now": 1,
    "cafe_bans_total": 1,
    "cafe_addresses": 1,
    "cafe_limits_shared": 1,
    "cafe_connections_open client": 1,
    "cafe_connections_refused_total client": 1,
    "cafe_connections_isolated_total client": 1,
    "cafe_connections_malformed_total client": 2,
    "cafe_connections_shed_total client": 0,
    "cafe_connections_shed_total worker": 1,
    "cafe_connections_open worker": 1,
    "cafe_kernel_filter client": 1,
    "cafe_kernel_bans client": 2,
    "cafe_kernel_filter worker": 0,
    "cafe_kernel_bans worker": 0,
    "cafe_actor_queued Dispatcher": 0,
    "cafe_actor_handled_total RateLimiter": 3,
    "cafe_actor_restarts_total Dispatcher": 0,
    "cafe_actor_handling_seconds_count RateLimiter": 3,
}
