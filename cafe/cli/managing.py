"""The requests of commands that manage the shop: to the managers' routes, running or not.

Rule: a command makes requests; `operator_client.py` chooses the shop. A refusal is one line and
exit code 2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from typer.exceptions import TyperException

from cafe.cli.imports import importing
from cafe.cli.options import WRONG_SETTING

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class CommandRefusedError(TyperException):
    """The shop refuses what the command asks, or cannot be asked; ends a command with one line."""

    exit_code = WRONG_SETTING


def managed(
    work: Callable[[httpx.AsyncClient], Awaitable[T]],
    *,
    database_url: str | None = None,
    url: str | None = None,
) -> T:
    """Return what `work` returns, given a client that makes its requests as a manager.

    Raises CommandRefusedError, in one line, for every expected error.
    """
    with importing():
        from cafe.cli.operator_client import run_with_client  # noqa: PLC0415 - not for help

    return run_with_client(work, database_url=database_url, url=url)


def answer_of(response: httpx.Response) -> Any:
    """Return the JSON of a response, None without a body; raises CommandRefusedError."""
    if response.is_success:
        return response.json() if response.content else None
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = f"The shop answered {response.status_code}."
    raise CommandRefusedError(detail)


async def page_after(client: httpx.AsyncClient, page: httpx.Response) -> httpx.Response | None:
    """Return the page after this one of a list, None if it is the last."""
    url: str | None = page.links.get("next", {}).get("url")
    return None if url is None else await client.get(url)
