"""The records of an export, for all systems.

Rule: a record has the members of that system's API, and others are ignored. Values have the same
bounds as in our own API. If systems differ in a name, all of their names are accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cafe.accounts.importing import LONGEST_HASH, Person
from cafe.accounts.schemas import EmailText, Username
from cafe.bookings.fields import MOST_NUMBER, Seats, Type
from cafe.bookings.importing import WantedTable
from cafe.bookings.period import LAST_TIME, read_time
from cafe.bookings.table import TableStatus, TableType
from cafe.compat.fields import ProductPrice, TablePrice
from cafe.delivery.importing import WantedCourier, WantedDistrict
from cafe.delivery.schemas import MOST_DISTRICTS
from cafe.delivery.schemas import Name as DeliveryName
from cafe.http.authentication import Role
from cafe.http.schema import Schema, Text
from cafe.menu.catalogue import ProductWish, VariationWish
from cafe.menu.schemas import MOST_VARIATIONS, Category, Description, Name, PriceChange
from cafe.menu.schemas import Price as Cents

FIRST_TIME: Final = read_time("1970-01-01T00:00:00Z")
LONGEST_FORMER_ID: Final = 200
DJANGO: Final = "argon2$argon2"
"""The beginning of a password's hash in Django, which prefixes its own name of the algorithm."""


def named(*names: str) -> AliasChoices:
    """Return the alternative names of a member."""
    return AliasChoices(*names)


def _text_of(value: Any) -> Any:
    """Return an id as text; some systems have numbers as ids."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _time(value: Any) -> float:
    """Return the time that a text names; one without an offset is in UTC."""
    for offset in ("", "Z"):
        try:
            at = read_time(f"{value}{offset}") if isinstance(value, str) else -1.0
        except ValueError:
            continue
        if FIRST_TIME <= at < LAST_TIME:
            return at
    raise PydanticCustomError("time", "A time is text, as in 2026-03-14T09:26:53+01:00")


def _hash(value: str) -> str:
    return value.removeprefix("argon2") if value.startswith(DJANGO) else value


Id = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$"), BeforeValidator(_text_of)]
"""An id that is kept."""
FormerId = Annotated[
    Text, Field(min_length=1, max_length=LONGEST_FORMER_ID), BeforeValidator(_text_of)
]
"""An id that is replaced by one of ours."""
Time = Annotated[float, PlainValidator(_time)]
Hash = Annotated[Text, Field(max_length=LONGEST_HASH), AfterValidator(_hash)]


class Exported(Schema):
    """A record of an export; unknown members are ignored."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def member(cls, field: str, record: Mapping[str, Any]) -> str:
        """Return the name that a field has in a record."""
        known = cls.model_fields.get(field)
        alias = None if known is None else known.validation_alias
        names = alias.choices if isinstance(alias, AliasChoices) else [alias or field]
        return next((str(one) for one in names if one in record), str(names[0]))


class UserRecord(Exported):
    """A user, with the hash of the password."""

    user_id: Id = Field(validation_alias=named("user_id", "id"))
    email: EmailText
    username: Username | None = None
    password_hash: Hash = Field(
        validation_alias=named("password_hash", "hashed_password", "password")
    )
    role: Annotated[Role, Field(strict=False)] | None = None
    is_manager: bool = Field(
        default=False, validation_alias=named("is_manager", "is_staff", "is_superuser")
    )
    is_active: bool = True
    disabled: bool = False
    created_at: Time | None = Field(
        default=None, validation_alias=named("created_at", "registered_at", "date_joined")
    )

    def person(self) -> Person:
        """Return the account; without a role it is a manager's or a customer's."""
        role = self.role or (Role.MANAGER if self.is_manager else Role.CUSTOMER)
        return Person(
            self.user_id,
            self.email.shown,
            self.email.folded,
            self.username,
            role.value,
            self.password_hash,
            self.disabled or not self.is_active,
            self.created_at,
        )


class VariationRecord(Exported):
    """One way to have a product."""

    id: Id | None = Field(default=None, validation_alias=named("variation_id", "id"))
    name: Name
    price_change_cents: PriceChange = 0

    def wish(self) -> VariationWish:
        """Return the wish for the variation."""
        return VariationWish(self.id, self.name, self.price_change_cents)


class ProductRecord(Exported):
    """A product of the menu."""

    id: Id | None = Field(default=None, validation_alias=named("product_id", "id"))
    name: Name
    description: Description = ""
    category: Category = ""
    price: ProductPrice | None = None
    base_price_cents: Cents | None = None
    sold_out: bool = False
    variations: Annotated[list[VariationRecord], Field(max_length=MOST_VARIATIONS)] = Field(
        default_factory=list[VariationRecord]
    )

    @model_validator(mode="after")
    def _has_one_price(self) -> ProductRecord:
        if (self.price is None) is (self.base_price_cents is None):
            raise PydanticCustomError("price", "It has a `price`, or `base_price_cents`")
        return self

    def wish(self) -> ProductWish:
        """Return the wish for the product."""
        cents = self.price if self.base_price_cents is None else self.base_price_cents
        return ProductWish(
            self.id,
            self.name,
            self.description,
            self.category,
            None,
            cents,
            self.sold_out,
            tuple(one.wish() for one in self.variations),
        )


class DistrictRecord(Exported):
    """A district."""

    sid: Id | None = Field(default=None, validation_alias=named("sid", "district_id", "id"))
    name: DeliveryName = Field(validation_alias=named("name", "district_name"))

    def wanted(self) -> WantedDistrict:
        """Return the district."""
        return WantedDistrict(self.sid, self.name)


DistrictName = Annotated[DeliveryName, BeforeValidator(_text_of)]


class CourierRecord(Exported):
    """A courier."""

    sid: Id = Field(validation_alias=named("sid", "courier_id", "id"))
    name: DeliveryName
    districts: Annotated[list[DistrictName], Field(min_length=1, max_length=MOST_DISTRICTS)]

    def wanted(self) -> WantedCourier:
        """Return the courier."""
        return WantedCourier(self.sid, self.name, self.districts)


class TableRecord(Exported):
    """A table."""

    id: Annotated[int, Field(ge=1, le=MOST_NUMBER)] | None = Field(
        default=None, validation_alias=named("id", "number")
    )
    table_type: Type = Field(
        default=TableType.REGULAR, validation_alias=named("table_type", "type")
    )
    seats: Seats
    price: TablePrice = 0
    can_be_booked: bool = True

    def wanted(self) -> WantedTable:
        """Return the table."""
        status = TableStatus.OPEN if self.can_be_booked else TableStatus.CLOSED
        return WantedTable(self.id, self.table_type, self.seats, self.price, status)
