"""The import of an export: each department makes the entries of its own records.

Rule: a file is read and checked as a whole before anything is written, and the first record that
cannot be imported ends it, with its line and member. Nothing is decided here: the departments'
models do that. Orders are imported by ascending times, and so get ascending ticket numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection

from cafe.accounts.importing import AccountsImport
from cafe.bookings.importing import TablesImport
from cafe.compat.courier_service_schemas import FINISHED
from cafe.compat.imports.json_file import JsonFile, JsonFileError
from cafe.compat.imports.orders import CoffeeShopOrder, CourierServiceOrder, FunctechOrder
from cafe.compat.imports.records import (
    CourierRecord,
    DistrictRecord,
    Exported,
    ProductRecord,
    TableRecord,
    UserRecord,
)
from cafe.delivery.importing import Brought, DeliveryImport
from cafe.http.app import said
from cafe.ledger.importing import Made, Place, Times, WrongRecordError, made
from cafe.menu.importing import MenuImport
from cafe.orders.importing import OrdersImport, Published
from cafe.orders.messages import Destination

R = TypeVar("R", bound=Exported)
AnyOrder = FunctechOrder | CoffeeShopOrder | CourierServiceOrder
Report = Callable[[int], None]
"""Is called with the number of records so far."""
ORDERS: Final[Mapping[str, type[AnyOrder] | None]] = {
    "functech": FunctechOrder,
    "courier-service": CourierServiceOrder,
    "restaurant-booking": None,
    "coffee-shop": CoffeeShopOrder,
}
"""By system: the model of its orders; restaurant-booking has none."""
KINDS: Final[Mapping[str, type[Exported]]] = {
    "users": UserRecord,
    "products": ProductRecord,
    "districts": DistrictRecord,
    "couriers": CourierRecord,
    "tables": TableRecord,
}
"""The lists of a file beside its orders, the same for each system."""


class Export:
    """A file that was read, with its validated records."""

    def __init__(self, system: str, content: bytes, report: Report) -> None:
        """Read the `content` of a file; raises JsonFileError."""
        self.system = system
        kinds = {**KINDS, "orders": ORDERS[system]}
        readers = {kind: partial(_record, system, model) for kind, model in kinds.items()}
        self._file = JsonFile(content, readers, report)
        records = self._file.records
        self.users: list[UserRecord] = records.get("users", [])
        self.products: list[ProductRecord] = records.get("products", [])
        self.districts: list[DistrictRecord] = records.get("districts", [])
        self.couriers: list[CourierRecord] = records.get("couriers", [])
        self.tables: list[TableRecord] = records.get("tables", [])
        self.orders: list[AnyOrder] = records.get("orders", [])

    @property
    def counts(self) -> dict[str, int]:
        """How many records of each kind the file has."""
        return {kind: len(records) for kind, records in self._file.records.items()}

    def error(self, kind: str, index: int, place: Place, sentence: str) -> JsonFileError:
        """Return the error of a member, by its name in the file."""
        record: Exported = self._file.records[kind][index]
        value = self._file.value(kind, index)
        names = [record.member(str(one), value) for one in place[:1]]
        return self._file.error(kind, index, (*names, *place[1:]), sentence)


def _record(system: str, model: type[Exported] | None, value: Any) -> Exported:
    """Return a record; raises WrongRecordError for the first wrong member."""
    if model is None:
        raise WrongRecordError(f"{system} has none of these.")
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        wrong = invalid.errors(include_url=False, include_input=False)[0]
        place = tuple(one for one in wrong["loc"] if one != "[key]")
        raise WrongRecordError(f"{said(wrong)}.", *place) from None


class Rules(NamedTuple):
    """The settings that concern imports."""

    lease_seconds: float
    """How long a courier may take to pick an order up."""
    day_of: Callable[[float], str]
    """Returns the local day of a time, as 2026-03-14."""


class Plan:
    """The entries to write for an export."""

    def __init__(
        self, export: Export, connection: Connection, times: Times, rules: Rules, report: Report
    ) -> None:
        """Read the stored state against which the records are checked."""
        self._export, self._times, self._report = export, times, report
        self._checked = 0
        self._accounts = AccountsImport(connection, times)
        self._menu = MenuImport(connection, times)
        self._tables = TablesImport(connection, times)
        former = [one.order_id for one in export.orders]
        self._orders = OrdersImport(connection, export.system, former)
        self._delivery = DeliveryImport(
            connection,
            times,
            since=min(
                (times.of(_began(one, times.now)) for one in export.orders), default=times.now
            ),
            lease_seconds=rules.lease_seconds,
            day_of=rules.day_of,
            courier_ids={one.sid for one in export.couriers},
        )

    def entries(self) -> list[Made]:
        """Return all entries, department by department; raises JsonFileError."""
        now = self._times.now
        users = self._each("users", enumerate(self._export.users), self._add_user)
        products = self._each(
            "products",
            enumerate(self._export.products),
            lambda one: made("menu", self._menu.add(one.wish()), now),
        )
        districts = self._each(
            "districts",
            enumerate(self._export.districts),
            lambda one: made("delivery", self._delivery.add_district(one.wanted()), now),
        )
        self._each("couriers", enumerate(self._export.couriers), self._add_courier)
        tables = self._each(
            "tables",
            enumerate(self._export.tables),
            lambda one: made("bookings", self._tables.add(one.wanted()), now),
        )
        in_time = sorted(enumerate(self._export.orders), key=lambda one: _began(one[1], now))
        orders = self._each("orders", in_time, self._add_order)
        couriers = made("delivery", self._delivery.couriers(), now)
        secret = made("orders", self._orders.secret() if orders else [], now)
        return [*users, *products, *districts, *couriers, *tables, *orders, *secret]

    def _each(
        self, kind: str, records: Iterable[tuple[int, R]], add: Callable[[R], list[Made]]
    ) -> list[Made]:
        """Return the entries of all records; raises the first error, with its place."""
        entries: list[Made] = []
        for index, record in records:
            try:
                entries += add(record)
            except WrongRecordError as wrong:
                raise self._export.error(kind, index, wrong.place, wrong.sentence) from None
            self._checked += 1
            self._report(self._checked)
        return entries

    def _add_user(self, record: UserRecord) -> list[Made]:
        person = record.person()
        if person.registered_at is not None:
            at = self._past(person.registered_at, "created_at")
            person = person._replace(registered_at=at)
        return made("accounts", self._accounts.add(person), self._times.now)

    def _add_courier(self, record: CourierRecord) -> list[Made]:
        self._delivery.add_courier(record.wanted())
        return []

    def _add_order(self, record: AnyOrder) -> list[Made]:
        if isinstance(record, CourierServiceOrder):
            return self._add_brought(record)
        sold = record.sold(self._menu.menu)
        if sold.account_id not in self._accounts.ids:
            raise WrongRecordError("There is no such user.", "user_id")
        placed_at = self._past(sold.placed_at, "created_at")
        ended_at = self._past(sold.ended_at, "ended_at")
        order = self._orders.sell(sold._replace(placed_at=placed_at, ended_at=ended_at))
        return made("orders", order.entries, self._times.now)

    def _add_brought(self, record: CourierServiceOrder) -> list[Made]:
        now = self._times.now
        district = self._delivery.find_district(record.district)
        placed_at = self._past(_began(record, now), "created_at")
        ended_at = None
        if record.status == FINISHED:
            finished_at = record.finished_at
            ended_at = placed_at if finished_at is None else self._past(finished_at, "finished_at")
            if ended_at < placed_at:
                raise WrongRecordError("It ended before it was created.", "finished_at")
        to = Destination(district.district_id, district.name)
        published = Published(record.order_id, record.name, to, placed_at, ended_at)
        order = self._orders.publish(published)
        brought = Brought(
            order.order_id,
            order.number,
            record.name,
            district,
            record.courier_sid,
            placed_at,
            ended_at,
        )
        entries = self._delivery.bring(brought)
        return [*made("orders", order.entries, now), *made("delivery", entries, now)]

    def _past(self, at: float, member: str) -> float:
        if at > self._times.now:
            raise WrongRecordError("This is in the future.", member)
        return self._times.of(at)


def _began(order: AnyOrder, now: float) -> float:
    """Return when an order began; `now` if its record has no time."""
    began = order.created_at
    if began is None and isinstance(order, CourierServiceOrder):
        began = order.finished_at
    return now if began is None else began
