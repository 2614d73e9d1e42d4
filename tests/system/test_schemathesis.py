"""Both apps against their own OpenAPI, as schemathesis uses them: as each role and as none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from cafe.http.authentication import STAFF, Role
from cafe.setting_types import COMPAT
from tests.system.api import LATER
from tests.system.credentials import ROLES, credentials
from tests.system.shop import Shop, open_shop

pytestmark = [pytest.mark.once, pytest.mark.long]

SCHEMATHESIS = (sys.executable, "-m", "schemathesis.cli")
CONFIG = Path(__file__).with_name("schemathesis.toml")
LOOSE = Path(__file__).with_name("schemathesis_compat.toml")
"""For the APIs of other systems."""
# A cancelled order can still be looked at, which schemathesis takes for "use after free".
CHECKS = ("--checks", "all", "--exclude-checks", "use_after_free")
PLENTY = 10**6
ORDERS = 60
"""Enough that no request for an order has to wait."""


@pytest.fixture
def unlimited() -> Generator[Shop]:
    """Yield a shop without limits."""
    limits: dict[str, Any] = dict.fromkeys(
        ("limit_requests", "limit_waiting", "max_waiting", "ban_after"), PLENTY
    )
    with open_shop(worker_auth="accounts", worker_hosts="", **limits) as shop:
        with httpx.Client(base_url=shop.client, headers=LATER) as customer:
            for _ in range(ORDERS):
                customer.post("/order/").raise_for_status()
        yield shop


SECONDS = 240
"""How long one run may take; the number of its examples is what bounds it."""
FEWER = ("--phases", "examples,fuzzing", "--exclude-path-regex", "^/auth/(logout|password)$")
"""What a run with a role does: values at the bounds are refused to all roles alike, and it must not
sign itself out."""


async def failures(url: str, fields: Mapping[str, str], folder: Path, config: Path = CONFIG) -> str:
    """Return what schemathesis finds wrong with the app at `url`, or an empty string.

    It sends these header fields with each request.
    """
    options = [f"--header={name}:{value}" for name, value in fields.items()]
    options += FEWER if fields else ()
    arguments = ("--config-file", str(config), "run", f"{url}/openapi.json", *CHECKS, *options)
    with trio.fail_after(SECONDS):
        ended = await trio.run_process(
            [*SCHEMATHESIS, *arguments],
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=folder,
        )
    return ended.stdout.decode() if ended.returncode else ""


async def test_both_apps_keep_what_openapi_promises_to_each_role(
    unlimited: Shop, tmp_path: Path
) -> None:
    """The staff's app lets no one else in: test_roles.py shows that for every route of it."""
    found: list[str] = []
    two = trio.CapacityLimiter(2)

    async def check(url: str, role: Role | None) -> None:
        fields = await credentials(unlimited, role)
        async with two:
            found.append(await failures(url, fields, tmp_path))

    async with trio.open_nursery() as nursery:
        for role in ROLES:
            nursery.start_soon(check, f"{unlimited.client}/api/v1/client", role)
        for role in STAFF:
            nursery.start_soon(check, f"{unlimited.worker}/api/v1/worker", role)
    for text in found:
        assert not text, text


async def test_the_apis_of_other_systems_keep_what_their_openapi_promises_to_each_role(
    unlimited: Shop, tmp_path: Path
) -> None:
    found: list[str] = []
    two = trio.CapacityLimiter(2)

    async def check(name: str, role: Role | None) -> None:
        fields = await credentials(unlimited, role)
        async with two:
            url = f"{unlimited.client}/compat/{name}"
            found.append(await failures(url, fields, tmp_path, LOOSE))

    async with trio.open_nursery() as nursery:
        for name in COMPAT:
            for role in (Role.CUSTOMER, Role.MANAGER):
                if name != "cafe":  # which is our own API, as above
                    nursery.start_soon(check, name, role)
    for text in found:
        assert not text, text
