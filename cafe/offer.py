"""The interface between a department and the shop: what it is opened with, and what it offers.

Rule: values and callables only. The shop starts actors and tasks, serves the routers, and calls the
rest when it needs it; so a department starts nothing itself, and the shop does not depend on what
a department does.
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
        """Start the actor that `factory` returns, now and after each crash."""
        ...


@dataclass(frozen=True, slots=True)
class House:
    """What a department is opened with, where the actors and the ledger are."""

    settings: Settings
    start: Start
    ledger: Ledger
    limiter: Ref[RateLimiter]
    closing: Closing
    registry: CollectorRegistry
    has_fronts: bool = False
    """Whether customers are connected to fronts, in other processes."""


@dataclass(frozen=True, slots=True)
class Front:
    """What a department is opened with at a front: the house has its actors and ledger."""

    settings: Settings
    house: HouseClient
    ledger: FollowingLedger
    limiter: Ref[RateLimiter]
    closing: Closing
    """The closing of this front; the house may go on."""
    registry: CollectorRegistry


async def nothing() -> Mapping[str, int]:
    """Do nothing; return no figures to log."""
    return {}


async def no_metrics() -> Iterable[Metric]:
    """Return no metrics."""
    return ()


async def nothing_of_front(_front: str) -> int:
    """Release nothing; return 0."""
    return 0


async def nothing_to_cut_off(_address: str, _seconds: float) -> int:
    """Cut off nothing; return 0."""
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherApi:
    """The API of another system, served under its own prefix with its own OpenAPI page.

    Without routes, the prefix leads to our own apps.
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
    """What one open department offers to the shop; only its name is required."""

    name: str
    customer_routes: tuple[APIRouter, ...] = ()
    staff_routes: tuple[APIRouter, ...] = ()
    other_apis: tuple[OtherApi, ...] = ()
    """The APIs of other systems that the department serves."""
    home: Callable[[Request], Awaitable[Response]] | None = None
    """Answers `/` of the customers' port for people; one department offers it."""
    authenticate: Authenticate | None = None
    """Authenticates requests for the routes of all departments; one department offers it."""
    answers: Callable[[], Awaitable[object]] = nothing
    """Returns when its actors answer; the shop is ready once all departments have."""
    metrics: Callable[[], Awaitable[Iterable[Metric]]] = no_metrics
    """Returns its own metrics, at each scrape."""
    tasks: tuple[Callable[[], Awaitable[None]], ...] = ()
    """Run in the process of its actors, as long as the shop is open."""
    serving: tuple[Callable[[], Awaitable[None]], ...] = ()
    """Run in each process that serves its routes, as long as it does."""
    refs: tuple[Ref[Any], ...] = ()
    """The actors that fronts ask."""
    queries: tuple[Callable[..., Any], ...] = ()
    """The queries of fronts: functions of a module, with keywords after the connection."""
    calls: Mapping[str, Callable[[], Awaitable[Any]]] = field(
        default_factory=dict[str, Callable[[], Awaitable[Any]]]
    )
    """Other functions that fronts call, by name."""
    tidy: Callable[[], Awaitable[Mapping[str, int]]] = nothing
    """Deletes expired rows, once an hour; returns figures to log."""
    cut_off: Callable[[str, float], Awaitable[int]] = nothing_to_cut_off
    """Cancels what an address has that is banned for these seconds; returns how much that was."""
    front_gone: Callable[[str], Awaitable[int]] = nothing_of_front
    """Releases what a disconnected front held; returns how much that was."""
    close: Callable[[], Awaitable[Mapping[str, int]]] = nothing
    """Answers all waiting clients, once `Closing` has begun; returns figures to log."""
