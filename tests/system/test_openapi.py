"""What OpenAPI promises, held against the real shop by schemathesis, with all checks but one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.system.api import LATER
from tests.system.shop import Shop, open_shop

COMMAND = (sys.executable, "-m", "schemathesis.cli")
CONFIG = Path(__file__).with_name("schemathesis.toml")
# A cancelled order can be looked at all the same, which schemathesis takes for "use after free".
CHECKS = ("--checks", "all", "--exclude-checks", "use_after_free")
PLENTY = 10**6
ORDERS = 60
"""So many wait that no barista here has to."""


@pytest.fixture
def generous() -> Generator[Shop]:
    """Yield a shop without limits."""
    limits: dict[str, Any] = dict.fromkeys(
        ("limit_requests", "limit_waiting", "max_waiting", "ban_after"), PLENTY
    )
    with open_shop(**limits) as shop:
        with httpx.Client(base_url=shop.client, headers=LATER) as customer:
            for _ in range(ORDERS):
                customer.post("/order/").raise_for_status()
        yield shop


async def failures(url: str, folder: Path) -> str:
    """Return what schemathesis has to say against the app at `url`, nothing where all is well."""
    ended = await trio.run_process(
        [*COMMAND, "--config-file", str(CONFIG), "run", f"{url}/openapi.json", *CHECKS],
        capture_stdout=True,
        stderr=subprocess.STDOUT,
        check=False,
        cwd=folder,
    )
    return ended.stdout.decode() if ended.returncode else ""


async def test_both_apps_keep_what_openapi_promises(generous: Shop, tmp_path: Path) -> None:
    said: dict[str, str] = {}

    async def check(url: str) -> None:
        said[url] = await failures(url, tmp_path)

    async with trio.open_nursery() as nursery:
        for url in (f"{generous.client}/api/v1/client", f"{generous.worker}/api/v1/worker"):
            nursery.start_soon(check, url)
    for text in said.values():
        assert not text, text
