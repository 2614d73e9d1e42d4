"""The JSON of replies about orders agrees with the models that document it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from cafe.http.reply import answer
from cafe.orders import line_schemas, pause_api, schemas
from cafe.orders.messages import Claim, Pause, QueueCount, Standing
from cafe.orders.order import Action, Order, Status
from cafe.orders.pause_api import PauseOut, pause_out
from cafe.orders.schemas import (
    BasketOrderOut,
    ClaimOut,
    FinishedOut,
    ListedOut,
    OrderOut,
    QueueOut,
    basket_out,
    claim_out,
    finished_out,
    listed_out,
    order_out,
    queue_out,
)
from tests.cafe.ledger.order_histories import basket

MODELS = [
    one
    for module in (schemas, line_schemas, pause_api)
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, BaseModel) and one.__module__ == module.__name__
]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_an_example_that_is_valid(model: type[BaseModel]) -> None:
    (example,) = model.model_json_schema()["examples"]
    assert model.model_validate(example).model_dump(mode="json") == example


def standings() -> list[Standing]:
    """Return orders in every status, with and without names and estimates."""
    order = Order("o", 7, "americano", None, "192.0.2.1", 1_795_000_000.0)
    started = order.after(
        Action.START, barista="Bo", started_at=1_795_000_010.25, lease_expires_at=1_795_000_190.0
    )
    ready = started.after(Action.FINISH, ended_at=1_795_000_050.123456)
    named = order._replace(name='Zoë "Zo"')
    cancelled = named.after(Action.CANCEL, ended_at=1_795_000_002.0)
    return [
        Standing(order, 3, None, 0.0),
        Standing(named, 1, 45.5, 12.34567),
        Standing(started, None, 20.0, 30.0),
        Standing(ready, None, None, 50.0),
        Standing(ready.after(Action.HAND_OVER), None, None, 50.0),
        Standing(cancelled, None, None, 2.0),
    ]


@pytest.mark.parametrize("standing", standings(), ids=lambda one: one.order.status)
def test_a_reply_is_what_its_model_documents(standing: Standing) -> None:
    said = answer(order_out(standing)).body
    assert said == answer(OrderOut.model_validate(order_out(standing))).body
    if standing.order.status is Status.PREPARATION:
        claim = claim_out(Claim(standing.order, 4))
        assert answer(claim).body == answer(ClaimOut.model_validate(claim)).body
    if standing.order.status in {Status.READY, Status.DELIVERED}:
        finished = finished_out(standing.order)
        assert answer(finished).body == answer(FinishedOut.model_validate(finished)).body


@pytest.mark.parametrize(
    "pause", [None, Pause(1_795_000_060.0), Pause(1_795_000_060.0, "Zoë", "x")]
)
def test_a_pause_is_what_its_models_document(pause: Pause | None) -> None:
    count = QueueCount(2, 1, 1, 45.81234, accepting=pause is None, by_status={}, paused=pause)
    for shown, model in ((queue_out(count), QueueOut), (pause_out(pause), PauseOut)):
        assert answer(shown).body == answer(model.model_validate(shown)).body


@pytest.mark.parametrize("metadata", [None, "null", "[]", '{"table": "Zoë", "n": 1e3}'])
@pytest.mark.parametrize("standing", standings(), ids=lambda one: one.order.status)
def test_an_order_with_lines_is_what_its_models_document(
    standing: Standing, metadata: str | None
) -> None:
    order = standing.order._replace(basket=basket()._replace(metadata=metadata))
    standing = standing._replace(order=order)
    shown, listed = basket_out(standing), listed_out(standing)
    assert answer(shown).body == answer(BasketOrderOut.model_validate(shown)).body
    assert answer(listed).body == answer(ListedOut.model_validate(listed)).body
    assert shown["items"] == listed["items"] == claim_out(Claim(order, 4))["items"]
    assert shown.items() >= order_out(standing).items()
    is_claimed = order.started_at is not None
    assert listed["barista"] == ("Bo" if is_claimed else None)
    assert (listed["lease_expires_at"] is not None) is is_claimed


def test_an_order_of_the_plain_counter_has_no_items_and_its_shape_is_the_contract_s() -> None:
    standing = standings()[0]
    assert listed_out(standing)["items"] == []
    assert claim_out(Claim(standing.order, 4))["items"] == []
    assert basket_out(standing) == order_out(standing)
    assert order_out(standing).keys() == OrderOut.model_fields.keys()
    assert not OrderOut.model_fields.keys() & {"items", "total_cents", "metadata"}
