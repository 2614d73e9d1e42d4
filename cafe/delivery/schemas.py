"""The HTTP schemas of deliveries, couriers and districts.

Rule: pydantic is used here only, at the edge. `shown.py` makes the members of the answers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from cafe.delivery.courier import CourierWish
from cafe.delivery.delivery import Status
from cafe.http.app import example
from cafe.http.schema import NFC, TIDY, Id, Schema, Text, schema_example

LONGEST_NAME: Final = 80
LONGEST_TEXT: Final = 500
MOST_DISTRICTS: Final = 100

DISTRICT: Final[dict[str, Any]] = {
    "district_id": "4be0643f1d98573b",
    "name": "North",
    "retired": False,
}
DELIVERY: Final[dict[str, Any]] = {
    "order_id": "hT0bn5ZqYc1xJ3Qek8V_d4Wn",
    "courier_id": "97cdd220ad84e290",
    "status": "assigned",
    "number": 17,
    "name": "Box of donuts",
    "district_id": DISTRICT["district_id"],
    "district": DISTRICT["name"],
    "address": "Main Street 1",
    "attempts": 0,
    "reason": None,
    "requested_at": "2026-03-14T09:26:53.589793Z",
    "assigned_at": "2026-03-14T09:26:53.589793Z",
    "lease_expires_at": "2026-03-14T09:41:53.589793Z",
    "picked_up_at": None,
    "ended_at": None,
}
WAITING: Final[dict[str, Any]] = {
    **DELIVERY,
    "courier_id": None,
    "status": "waiting",
    "assigned_at": None,
    "lease_expires_at": None,
}
DONE: Final[dict[str, Any]] = {
    **DELIVERY,
    "status": "delivered",
    "lease_expires_at": None,
    "ended_at": "2026-03-14T09:38:12.101112Z",
    "next": {**DELIVERY, "order_id": "8GmBWLyEwHMRvSHtZOKMKN2R", "number": 18},
}
COURIER: Final[dict[str, Any]] = {
    "courier_id": "97cdd220ad84e290",
    "name": "Ada",
    "districts": [DISTRICT["district_id"]],
    "account": None,
    "on_duty": True,
    "retired": False,
    "active_order": "hT0bn5ZqYc1xJ3Qek8V_d4Wn",
    "completed": 42,
    "avg_order_complete_time": 1260.5,
    "avg_day_orders": 5.25,
}


Name = Annotated[Text, Field(min_length=1, max_length=LONGEST_NAME), TIDY, NFC]
LongText = Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT), TIDY, NFC]
Districts = Annotated[
    list[Name],
    Field(min_length=1, max_length=MOST_DISTRICTS, description="Names, in any case, or ids."),
]


class DistrictIn(Schema):
    """A new district."""

    model_config = schema_example({"name": DISTRICT["name"]})

    name: Name


class DistrictPatch(Schema):
    """What is to be changed of a district."""

    model_config = schema_example({"retired": True})

    name: Name | None = None
    retired: bool | None = None


class DistrictOut(BaseModel):
    """A district."""

    model_config = example(DISTRICT)

    district_id: str
    name: str
    retired: bool


class DistrictsOut(BaseModel):
    """Districts."""

    model_config = example({"districts": [DISTRICT]})

    districts: list[DistrictOut]


class CourierIn(Schema):
    """A new courier."""

    model_config = schema_example({"name": "Ada", "districts": ["North"]})

    name: Name
    districts: Districts
    account: Id | None = Field(
        default=None, description="The `user_id` of the courier's account, whose role is courier."
    )
    on_duty: bool = True


class CourierPatch(Schema):
    """What is to be changed of a courier."""

    model_config = schema_example({"districts": ["North", "South"]})

    name: Name | None = None
    districts: Districts | None = None
    on_duty: bool | None = None
    retired: bool | None = None

    def wish(self) -> CourierWish:
        """Return the patch as a CourierWish."""
        districts = None if self.districts is None else tuple(self.districts)
        return CourierWish(self.name, districts, self.on_duty, self.retired)


class DutyIn(Schema):
    """Whether a courier works."""

    model_config = schema_example({"on_duty": True})

    on_duty: bool


class DeliveryIn(Schema):
    """An order that needs no brewing, and where it is to be brought."""

    model_config = schema_example(
        {"name": "Box of donuts", "district": "North", "address": "Main Street 1", "queue": True}
    )

    name: Name
    district: Name = Field(description="Its name, in any case, or its id.")
    address: LongText | None = None
    queue: bool = Field(default=False, description="Let it wait until a courier is free.")


class FailIn(Schema):
    """Why it could not be delivered."""

    model_config = schema_example({"reason": "Nobody opened."})

    reason: LongText


class CancelIn(Schema):
    """Why it is cancelled."""

    model_config = schema_example({"reason": "The customer has called."})

    reason: LongText | None = None


class ReassignIn(Schema):
    """Who gets it."""

    model_config = schema_example({"courier_id": COURIER["courier_id"]})

    courier_id: Id | None = Field(
        default=None, description="By default the one of the district who is free longest."
    )


class DeliveryOut(BaseModel):
    """A delivery."""

    model_config = example(DELIVERY)

    order_id: str
    courier_id: str | None
    status: Status
    number: int | None = Field(description="The ticket number of its order, once it is known.")
    name: str | None
    district_id: str
    district: str
    address: str | None
    attempts: int = Field(description="How often it has failed.")
    reason: str | None = Field(description="Why it has failed, or was cancelled.")
    requested_at: datetime
    assigned_at: datetime | None
    lease_expires_at: datetime | None = Field(
        description="If it is not picked up by then, it goes to the next courier."
    )
    picked_up_at: datetime | None
    ended_at: datetime | None


class HandedOut(DeliveryOut):
    """A delivery after a change, and what its courier has in hand then."""

    model_config = example(DONE)

    next: DeliveryOut | None = Field(description="Handed to the courier who had this one.")


class DeliveriesOut(BaseModel):
    """Deliveries, the newest first."""

    model_config = example({"deliveries": [DELIVERY]})

    deliveries: list[DeliveryOut]


class CourierOut(BaseModel):
    """A courier."""

    model_config = example(COURIER)

    courier_id: str
    name: str
    districts: list[str] = Field(description="The ids of the districts that the courier serves.")
    account: str | None
    on_duty: bool
    retired: bool
    active_order: str | None = Field(description="The id of the order in hand.")
    completed: int
    avg_order_complete_time: float | None = Field(
        description="Seconds from the assignment to the completion; null without any."
    )
    avg_day_orders: float | None = Field(
        description="Completed deliveries on a local day that has one; null without any."
    )


class ChangedCourierOut(CourierOut):
    """A courier after a change, and what they have in hand then."""

    model_config = example({**COURIER, "next": DELIVERY})

    next: DeliveryOut | None = Field(
        description="In hand now: one who comes on duty gets the oldest that waits."
    )


class CouriersOut(BaseModel):
    """Couriers."""

    model_config = example({"couriers": [COURIER]})

    couriers: list[CourierOut]


class InHandOut(BaseModel):
    """What a courier has in hand."""

    model_config = example({"order": DELIVERY})

    order: DeliveryOut | None
