"""What guests and a manager ask of a shop that sends letters, and what a guest reads in them."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from urllib.parse import parse_qs, urlsplit

import httpx
import trio

from cafe.accounts.secret import find_secret
from cafe.accounts.tokens import tokens_of
from cafe.settings import Settings
from tests.system import warm
from tests.system.credentials import bearer
from tests.system.shop import Line, Shop, environment
from tests.system.until import TIMEOUT, until_asked


@dataclass(frozen=True)
class House:
    """A shop with a manager, and a guest who has no account."""

    shop: Shop
    manager: httpx.AsyncClient
    guest: httpx.AsyncClient

    async def add_table(self) -> str:
        """Add a table, and return its id."""
        table = {"type": "regular", "seats": 4}
        added = (await self.manager.post("/admin/tables", json=table)).raise_for_status()
        table_id: str = added.json()["table_id"]
        return table_id

    async def ask_for(self, table_id: str, email: str, days: int = 2, name: str = "Ada") -> Line:
        """Request a table, and return the booking with its token."""
        begins = datetime.now(UTC) + timedelta(days=days)
        wish = {
            "table_id": table_id,
            "from": begins.isoformat(),
            "to": (begins + timedelta(hours=2)).isoformat(),
            "party": 2,
            "email": email,
            "name": name,
        }
        asked = (await self.guest.post("/bookings", json=wish)).raise_for_status()
        booking: Line = asked.json()
        return booking

    async def decide(self, booking: Line, step: str, reason: str | None = None) -> None:
        """Accept, decline or cancel a booking, as its manager."""
        path = f"/admin/bookings/{booking['booking_id']}/{step}"
        (await self.manager.post(path, json={"reason": reason})).raise_for_status()

    async def letters(self, state: str | None = None) -> list[Line]:
        """List the letters, or those in a state, the newest first."""
        query = {} if state is None else {"state": state}
        listed = (await self.manager.get("/admin/letters", params=query)).raise_for_status()
        letters: list[Line] = listed.json()["letters"]
        return letters

    async def has_letters(self, number: int, state: str) -> None:
        """Wait until so many letters are in a state."""

        async def are_so_many() -> bool:
            return len(await self.letters(state)) == number

        await until_asked(are_so_many)

    async def status(self, booking: Line) -> str:
        """Return the status of a booking, as its guest sees it."""
        query = {"token": booking["token"]}
        found = await self.guest.get(f"/bookings/{booking['booking_id']}", params=query)
        status: str = found.json()["status"]
        return status


@asynccontextmanager
async def visiting(shop: Shop) -> AsyncGenerator[House]:
    """Open a manager's and a guest's client."""
    settings = Settings.model_validate({"database_url": shop.database_url})
    operator = tokens_of(find_secret(settings)).operator(time.time())
    async with (
        shop.baristas(headers=bearer(operator)) as manager,
        shop.customers() as guest,
    ):
        yield House(shop, manager, guest)


async def mail_command(*arguments: str, url: str, worker: str | None = None) -> str:
    """Run `cafe mail`, with a shop that runs at `worker` or without one; return what it prints."""
    running = () if worker is None else ("--url", worker)
    command = ("mail", *arguments, "--database-url", url, *running)
    ended = await trio.to_thread.run_sync(warm.run, command, environment({}), TIMEOUT)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a letter."""
    plain = message.get_body(("plain",))
    assert plain is not None
    text: str = plain.get_content()
    return text


def link_in(message: EmailMessage) -> tuple[str, dict[str, str]]:
    """Return the path and the query of a letter's link."""
    urls: list[str] = re.findall(r"^https://\S+", text_of(message), re.MULTILINE)
    (url,) = urls
    parts = urlsplit(url)
    return parts.path, {name: value for name, (value,) in parse_qs(parts.query).items()}


def form_in(page: str) -> dict[str, str]:
    """Return the fields of a page's form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', page))
