"""What goes over the wire about tips.

Rule: pydantic stands here only, at the edge.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictInt

from cafe.http.app import example
from docs.examples.tips.tip import Status, Tip

Id = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
Cents = Annotated[StrictInt, Field(ge=1, le=100_000)]


class TipIn(BaseModel):
    """A customer's tip."""

    model_config = example({"order_id": "bPqX_tOKH9QLV1k8w3-RtZ0m", "cents": 50}, extra="forbid")

    order_id: Id
    cents: Cents


class TipOut(BaseModel):
    """A tip as it stands."""

    model_config = example(
        {"order_id": "bPqX_tOKH9QLV1k8w3-RtZ0m", "cents": 50, "status": "pledged"}
    )

    order_id: str
    cents: int
    status: Status


class TotalsOut(BaseModel):
    """The cents that each barista has got; the empty name is that of the house."""

    model_config = example({"cents": {"Bo": 250, "": 50}})

    cents: dict[str, int]


def tip_out(tip: Tip) -> TipOut:
    """Return what a customer is shown of a tip: not which barista has got it."""
    return TipOut(order_id=tip.order_id, cents=tip.cents, status=tip.status)
