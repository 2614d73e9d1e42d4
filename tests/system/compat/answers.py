"""What the tests of all systems ask of an answer: its body, a list of several pages, a count.

Rule: a link leads on from where it was found, so a client may have a prefix in its base URL.
"""

from __future__ import annotations

from typing import Any

import httpx

from cafe.http.authentication import Role
from tests.system.credentials import credentials
from tests.system.shop import Shop

Json = dict[str, Any]


def ok(response: httpx.Response) -> Any:
    """Return the body of an answer that has all that was asked for."""
    assert response.status_code == 200, response.text
    return response.json()


async def pages(client: httpx.AsyncClient, path: str) -> list[Json]:
    """Return a whole list, page by page."""
    found: list[Json] = []
    page: httpx.URL | str | None = path
    while page is not None:
        response = await client.get(page)
        found += ok(response)
        link = response.links.get("next")
        page = None if link is None else response.url.join(link["url"])
    return found


async def refusals(shop: Shop, limit: str) -> float:
    """Return how many refusals a limit has counted."""
    staff = await credentials(shop, Role.MANAGER)
    return await shop.metric(f'cafe_refusals_total{{limit="{limit}"}}', headers=staff)
