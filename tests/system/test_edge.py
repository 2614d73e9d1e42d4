"""The edge of both apps on both databases: every bad value in every place of every route.

Rule: it is driven by what the shop serves as its OpenAPI; a new route is covered without a change
here. Each request has an address of its own, so that no limit of an address is in the way.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from typing import Annotated, Any, Literal

import pytest
import sqlalchemy as sa
import trio
from fastapi.exceptions import RequestValidationError
from pydantic import Field, TypeAdapter, ValidationError

from cafe.http.json_body import parse_json
from cafe.http.schema import (
    Cents,
    Id,
    Integer,
    Metadata,
    Schema,
    Text,
    schema_example,
)
from cafe.setting_types import COMPAT
from tests.system.bad_values import HUGE, NEEDLE
from tests.system.credentials import ROLES, credentials
from tests.system.edge import (
    Bad,
    Document,
    Operation,
    bad_bodies,
    bad_requests,
    choices,
    operations,
    places,
    sample,
    types,
)
from tests.system.raw_client import Answer, Client, request
from tests.system.shop import Shop, open_shop

pytestmark = pytest.mark.once

PLENTY = 10**6
APPS = ("client", "worker")
OTHERS = tuple(f"client/compat/{name}" for name in COMPAT if name != "cafe")
"""Other systems' APIs, which ignore members that they do not know."""
GENEROUS: dict[str, Any] = dict.fromkeys(
    ("limit_requests", "limit_waiting", "max_waiting", "ban_after"), PLENTY
)
GARBAGE_IS_404 = "/bookings/{booking_id}"
"""Every wrong token of a booking is answered alike."""
REFUSED = frozenset({400, 413, 414, 422, 431})
DENIED = frozenset({401, 403})
GARBAGE_IS_401 = ("/auth/token", "/auth/refresh", "/api/token/")
"""Where text that is no credential answers as a wrong one does."""
TOGETHER = 8
"""Requests that are under way at a time."""

PATIENT_SECONDS = 5.0
UNANSWERED = Answer(0, {}, b"no answer: it was accepted, and waits")

_numbers = count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Return the URL of a database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'edge.db'}"
    url: str = request.getfixturevalue("postgresql")
    return url


async def ask(shop: Shop, app: str, raw: bytes, method: str) -> Answer:
    """Send a request from an address of its own; what waits for coffee gets UNANSWERED."""
    number = next(_numbers)
    address = f"127.{3 + number // 60_000}.{number // 250 % 240}.{number % 250 + 1}"
    url = shop.worker if app == "worker" else shop.client
    with trio.move_on_after(PATIENT_SECONDS):
        async with await shop.connect(address, url) as stream:
            return await Client(stream).ask(raw, method)
    return UNANSWERED


async def openapi(shop: Shop, app: str) -> Document:
    """Return what an app says that it serves."""
    async with shop.baristas() if app == "worker" else shop.customers() as client:
        document: Document = (await client.get(f"{prefix_of(app)}/openapi.json")).json()
    return document


def prefix_of(app: str) -> str:
    """Return the prefix of an app's paths."""
    return app.removeprefix("client").removeprefix("worker")


@contextmanager
def counted(database: str) -> Generator[sa.Connection]:
    """Yield a connection, and check that no table has more or fewer rows afterwards."""
    engine = sa.create_engine(database)
    try:
        with engine.connect() as connection:
            before = rows_of(connection)
            assert "orders" in before
            yield connection
            assert rows_of(connection) == before
    finally:
        engine.dispose()


def rows_of(connection: sa.Connection) -> Mapping[str, int]:
    """Return how many rows each table has."""
    names = sa.inspect(connection).get_table_names()
    counts = {
        name: connection.execute(
            sa.select(sa.func.count()).select_from(sa.table(name))
        ).scalar_one()
        for name in names
    }
    connection.rollback()
    return counts


async def wrong_with(shop: Shop, app: str, operation: Operation) -> list[str]:
    """Return a sentence for each bad request that was not refused as it should be."""
    wrong: list[str] = []
    role = ROLES[0]
    for bad in bad_requests(operation):
        answer = await ask(shop, app, bad.written(await credentials(shop, role)), bad.method)
        for other in ROLES[1:]:
            if answer.status not in DENIED or operation.path.endswith(GARBAGE_IS_401):
                break
            role = other
            answer = await ask(shop, app, bad.written(await credentials(shop, role)), bad.method)
        wrong += [f"{bad.name}: {why}" for why in objections(operation, bad, answer)]
    return wrong


def objections(operation: Operation, bad: Bad, answer: Answer) -> list[str]:
    """Return what is wrong with the answer to a bad request."""
    allowed = set(REFUSED)
    if bad.in_path or operation.path.startswith(GARBAGE_IS_404):
        allowed.add(404)
    if operation.path.endswith(GARBAGE_IS_401):
        allowed.add(401)
    found: list[str] = []
    if answer.status not in allowed:
        found.append(f"{answer.status} {answer.body[:200]!r}")
    if NEEDLE.encode() in answer.body or HUGE.encode() in answer.body:
        found.append(f"quotes what was sent: {answer.body[:500]!r}")
    return found


async def test_every_bad_value_in_every_place_is_refused_and_stores_nothing(database: str) -> None:
    wrong: list[str] = []
    with open_shop(database_url=database, **GENEROUS) as shop:
        waiting = [
            (app, operation)
            for app in (*APPS, *OTHERS)
            for operation in operations(await openapi(shop, app), prefix_of(app))
        ]

        async def work() -> None:
            while waiting:
                wrong.extend(await wrong_with(shop, *waiting.pop()))

        for role in ROLES:
            await credentials(shop, role)
        with counted(database):
            async with trio.open_nursery() as nursery:
                for _ in range(TOGETHER):
                    nursery.start_soon(work)
            assert not wrong, "\n".join(wrong)
            await shop.settle()
        assert "Traceback" not in shop.log.text
        assert not [line for line in shop.log.lines() if line["level"] == "error"]
        raw = request("GET", "/readyz", "Connection: close")
        assert (await ask(shop, "client", raw, "GET")).status == 200


@pytest.mark.parametrize("app", [*APPS, *OTHERS])
async def test_every_text_list_and_integer_that_a_client_sends_has_a_bound(
    shop: Shop, app: str
) -> None:
    document = await openapi(shop, app)
    boundless: list[str] = []
    for operation in operations(document):
        sent = [
            (one["name"], one["schema"]) for one in operation.parameters if one["in"] == "query"
        ]
        if operation.media_type is not None:
            sent.append(("body", operation.body))
        for name, schema in sent:
            for path, one in places(schema, sample(schema, document), document):
                boundless += [
                    f"{operation.method} {operation.path} {name} {path}: {kind}"
                    for choice in choices(one, document)
                    for kind in types(choice, document)
                    # A form may have fields that are ignored (RFC 6749, 3.2).
                    if not is_bounded(kind, choice)
                    and not (kind == "object" and app in OTHERS)
                    and (path or operation.media_type == "application/json")
                ]
    assert not boundless, "\n".join(boundless)


def is_bounded(kind: str, schema: Document) -> bool:
    """Return whether a schema says how long or large a value of a type may be."""
    if "enum" in schema or "const" in schema:
        return True
    needed = {
        "string": {"maxLength"},
        "array": {"maxItems"},
        "integer": {"minimum", "maximum"},
        "number": {"minimum", "maximum"},
        "object": {"additionalProperties"},
    }
    return needed.get(kind, set()) <= schema.keys()


class LineIn(Schema):
    product_id: Id
    variation_id: Id | None = None
    quantity: Annotated[Integer, Field(ge=1, le=100)]


class BasketIn(Schema):
    model_config = schema_example({"items": [{"product_id": "p", "quantity": 2}]})

    items: Annotated[list[LineIn], Field(max_length=100)]
    metadata: Metadata | None = None
    total_cents: Cents | None = None
    way: Literal["here", "to go"] = "here"
    note: Annotated[Text, Field(max_length=80)] | None = None
    gift: bool = False


def test_the_list_reaches_each_place_of_a_schema_and_a_schema_refuses_all_of_it() -> None:
    basket = TypeAdapter(BasketIn)
    document = basket.json_schema(ref_template="#/$defs/{model}")
    base = sample(document, document)
    assert basket.validate_python(base).items[0].variation_id == "a"
    reached: set[str] = set()
    accepted: list[str] = []
    for name, body in bad_bodies(document, document):
        reached.add(name.split(":")[0])
        with suppress(RequestValidationError, ValidationError):
            basket.validate_python(parse_json(body.encode()))
            accepted.append(f"{name}: {body[:300]}")
    assert accepted == []
    members = ("product_id", "variation_id", "quantity")
    lines = {".items", ".items.0", *(f".items.0.{member}" for member in members)}
    assert reached - lines == {"", ".metadata", ".total_cents", ".way", ".note", ".gift"}
