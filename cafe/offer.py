"""What a department and the shop are to each other: what it is opened with, and what it offers.

Rule: values and callables only. The shop starts actors and tasks, serves the routers and asks for
the rest when it needs it; so a department starts nothing by itself, and the shop knows nothing of
what a department does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from starlette.responses import Response

from actors import Actor, Ref
from cafe.http.authentication import Authenticate
from cafe.http.refusals import Closing
from cafe.ledger.ledger import Ledger
from cafe.limits.rate_limiter import RateLimiter
from cafe.settings import Settings

if TYPE_CHECKING:
    # A shop that is one process has no bus, and its libraries need not be imported.
    from cafe.bus.following_ledger import FollowingLedger
    from cafe.bus.house_client import HouseClient

A = TypeVar("A", bound=Actor)


class Start(Protocol):
    """Starts an actor with the shop's mailbox and restart budget; returns after its start."""

    async def __call__(
        self, factory: Callable[[], A] | Callable[[], Awaitable[A]], *, name: str
    ) -> Ref[A]:
        """Start what `factory` makes, now and after each crash."""
        ...


@dataclass(frozen=True, slots=True)
class House:
    """What the shop has before any department is open."""

    settings: Settings
    start: Start
    ledger: Ledger
    limiter: Ref[RateLimiter]
    closing: Closing
    registry: CollectorRegistry
    has_fronts: bool = False
    """Whether it is a house whose customers are at fronts, in other processes."""


@dataclass(frozen=True, slots=True)
class Front:
    """What a front has before any department is reached: the house has its actors and ledger."""

    settings: Settings
    house: HouseClient
    ledger: FollowingLedger
    limiter: Ref[RateLimiter]
    closing: Closing
    """Whether this front is closing; the house may go on."""
    registry: CollectorRegistry


async def nothing() -> Mapping[str, int]:
    """Do nothing, and have nothing to log."""
    return {}


async def no_metrics() -> Iterable[Metric]:
    """Have no metrics of its own."""
    return ()


async def nothing_of_front(_front: str) -> int:
    """Have nothing of any front."""
    return 0


async def nothing_to_cut_off(_address: str, _seconds: float) -> int:
    """Have nothing of any address."""
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherApi:
    """The API of another system, served under a prefix of its own with an OpenAPI page of its own.

    One without routes is ours: then the prefix leads to our own apps.
    """

    prefix: str
    """Begins with a slash, and does not end with one."""
    title: str
    description: str = ""
    customer_routes: tuple[APIRouter, ...] = ()
    staff_routes: tuple[APIRouter, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether our own apps are served under its prefix."""
        return not (self.customer_routes or self.staff_routes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one open department offers to the shop; all but its name may be left out."""

    name: str
    customer_routes: tuple[APIRouter, ...] = ()
    staff_routes: tuple[APIRouter, ...] = ()
    other_apis: tuple[OtherApi, ...] = ()
    """APIs of other systems whose clients are served, too."""
    home: Callable[[Request], Awaitable[Response]] | None = None
    """Answers `/` of the customers' port for people; one department offers it."""
    authenticate: Authenticate | None = None
    """Says who makes a request, for the routes of all departments; one department offers it."""
    answers: Callable[[], Awaitable[object]] = nothing
    """Returns when its actors answer; the shop is ready once all departments have."""
    metrics: Callable[[], Awaitable[Iterable[Metric]]] = no_metrics
    """Its own numbers, asked for with each scrape."""
    tasks: tuple[Callable[[], Awaitable[None]], ...] = ()
    """Run where its actors are, for as long as the shop is open."""
    serving: tuple[Callable[[], Awaitable[None]], ...] = ()
    """Run wherever its routes are served, for as long as they are."""
    refs: tuple[Ref[Any], ...] = ()
    """The actors that fronts ask."""
    queries: tuple[Callable[..., Any], ...] = ()
    """What fronts read by: functions of a module, given a connection, and all else by name."""
    calls: Mapping[str, Callable[[], Awaitable[Any]]] = field(
        default_factory=dict[str, Callable[[], Awaitable[Any]]]
    )
    """What else fronts ask for, by name."""
    tidy: Callable[[], Awaitable[Mapping[str, int]]] = nothing
    """Deletes what is kept no longer, once an hour; returns what to log of it."""
    cut_off: Callable[[str, float], Awaitable[int]] = nothing_to_cut_off
    """Gives up what a banned address, for so many seconds, has; returns how much that was."""
    front_gone: Callable[[str], Awaitable[int]] = nothing_of_front
    """Gives up what a front that has gone held; returns how much that was."""
    close: Callable[[], Awaitable[Mapping[str, int]]] = nothing
    """Answers all who wait, once `Closing` has begun; returns what to log of it."""
