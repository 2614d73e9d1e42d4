"""What tests of paid baskets ask of a shop, and the providers in a process of their own."""

from __future__ import annotations

import re
import select
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.system.paying_shop import PROGRAM
from tests.system.shop import FREE_PORTS, Shop, open_shop
from tests.system.until import TIMEOUT

LATTE = {"product_id": "latte", "variation_id": "latte-vanilla", "quantity": 2}
BASKET = {"items": [LATTE]}
ADA, BO = "customer:ada", "customer:bo"
BARISTA, MANAGER = "barista:cy", "manager:di"
SETTING = re.compile(rb"export (CAFE_\w+)=(\S+)\n")
SETTINGS = 4


@dataclass(frozen=True, slots=True)
class Providers:
    """The stand-ins of `cafe providers`, in a process."""

    settings: dict[str, str]
    """By the names of the shop's settings."""
    url: str

    def behave(self, **manners: str) -> None:
        """Set how they answer from now on."""
        assert httpx.put(f"{self.url}/manners", json=manners, timeout=TIMEOUT).status_code == 204

    def done(self, what: str) -> list[dict[str, Any]]:
        """Return the charges, refunds, notifications or requests for tables that were made."""
        listed: list[dict[str, Any]] = httpx.get(f"{self.url}/{what}", timeout=TIMEOUT).json()
        return listed


@contextmanager
def open_providers(*options: str) -> Generator[Providers]:
    """Run `cafe providers` during the block."""
    command = [sys.executable, "-m", "cafe", "providers", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as run:
        assert run.stdout is not None
        try:
            found: dict[str, str] = {}
            while len(found) < SETTINGS:
                assert select.select([run.stdout], [], [], TIMEOUT)[0], "it prints nothing"
                match = SETTING.fullmatch(run.stdout.readline())
                assert match is not None
                name = match[1].decode().removeprefix("CAFE_").lower()
                found[name] = match[2].decode()
            yield Providers(found, found["payment_url"].removesuffix("/charges"))
            run.send_signal(signal.SIGTERM)
            assert run.wait(TIMEOUT) == 0
            assert run.stdout.read() == b"", "its log fills the pipe, and then it hangs"
        finally:
            run.kill()


def open_paying_shop(
    providers: Providers | None, *, exit_code: int = 0, **settings: object
) -> AbstractContextManager[Shop]:
    """Open a shop that charges where the providers say, or one without any."""
    if providers is not None:
        settings |= {name: providers.settings[name] for name in ("payment_url", "refund_url")}
    return open_shop(FREE_PORTS, program=PROGRAM, exit_code=exit_code, **settings)


def signed_in(token: str, key: str | None = None, prefer: str | None = None) -> dict[str, str]:
    """Return the headers of a request of a caller."""
    headers = {"Authorization": f"Bearer {token}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    if prefer is not None:
        headers["Prefer"] = prefer
    return headers
