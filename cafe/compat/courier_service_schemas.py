"""The HTTP schemas of courier-service.

Rule: pydantic is used here only. That system knows only two statuses of an order.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field

from cafe.delivery.delivery import Delivery, Status
from cafe.delivery.schemas import Districts, Name
from cafe.http.app import example
from cafe.http.schema import Schema, schema_example

IN_WORK: Final = 1
FINISHED: Final = 2
OrderStatus = Annotated[Literal[1, 2], Field(description="1 in work, 2 finished.")]

NAMED: Final[dict[str, Any]] = {"sid": "97cdd220ad84e290", "name": "Ada"}
ORDER_SID: Final = "hT0bn5ZqYc1xJ3Qek8V_d4Wn"


class NewCourierIn(Schema):
    """A new courier; the name may be in the query instead."""

    model_config = schema_example({"name": "Ada", "districts": ["North"]})

    name: Name | None = None
    districts: Districts


def _as_object(body: Any) -> Any:
    return {"districts": body} if body.__class__ is list else body


AddIn = Annotated[
    NewCourierIn, BeforeValidator(_as_object, json_schema_input_type=NewCourierIn | Districts)
]
"""A new courier, or only a list of districts if the query has the name."""


class CreateIn(Schema):
    """A new district; the name may be in the query instead."""

    model_config = schema_example({"name": "North"})

    name: Name | None = None


class PublishIn(Schema):
    """A new order; both members may be in the query instead."""

    model_config = schema_example({"name": "Box of donuts", "district": "North"})

    name: Name | None = None
    district: Name | None = Field(default=None, description="Its name, in any case, or its id.")


class NamedOut(BaseModel):
    """A courier or a district in a list."""

    model_config = example(NAMED)

    sid: str
    name: str


class AddedOut(NamedOut):
    """A courier who was added."""

    model_config = example({**NAMED, "districts": ["North"]})

    districts: list[str] = Field(description="The names of the districts that the courier serves.")


class ActiveOrderOut(BaseModel):
    """What a courier has in hand."""

    order_id: str
    order_name: str = Field(description="Of a customer's basket: what is in it.")


class CourierOut(NamedOut):
    """A courier with the figures."""

    model_config = example(
        {
            **NAMED,
            "active_order": {"order_id": ORDER_SID, "order_name": "Box of donuts"},
            "avg_order_complete_time": 1260.5,
            "avg_day_orders": 5.25,
        }
    )

    active_order: ActiveOrderOut | None
    avg_order_complete_time: float | None = Field(
        description="Seconds from the assignment to the completion; null without any."
    )
    avg_day_orders: float | None = Field(
        description="Completed orders on a local day that has one; null without any."
    )


class LookOut(BaseModel):
    """Where an order stands."""

    model_config = example({"courier_sid": NAMED["sid"], "status": IN_WORK})

    courier_sid: str | None = Field(description="Null as long as it waits for a courier.")
    status: OrderStatus


class PublishedOut(BaseModel):
    """An order that a courier has."""

    model_config = example(
        {
            "order_sid": ORDER_SID,
            "courier_sid": NAMED["sid"],
            "sid": ORDER_SID,
            "name": "Box of donuts",
            "status": IN_WORK,
        }
    )

    order_sid: str
    courier_sid: str
    sid: str = Field(description="The same as `order_sid`.")
    name: str
    status: OrderStatus


class FinishedOut(BaseModel):
    """An order that is finished."""

    model_config = example({"sid": ORDER_SID, "status": FINISHED})

    sid: str
    status: OrderStatus


def named_out(sid: str, name: str) -> dict[str, Any]:
    """Return the members of `NamedOut`."""
    return {"sid": sid, "name": name}


def status_of(delivery: Delivery) -> int:
    """Return FINISHED for a delivered or cancelled order, else IN_WORK."""
    is_finished = delivery.status in {Status.DELIVERED, Status.CANCELLED}
    return FINISHED if is_finished else IN_WORK
