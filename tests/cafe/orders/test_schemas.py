"""What goes over the wire about orders."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from cafe.orders import schemas

SHAPES = [
    one
    for one in vars(schemas).values()
    if isinstance(one, type) and one.__module__ == schemas.__name__
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_an_example_that_is_one(shape: type[BaseModel]) -> None:
    (example,) = shape.model_json_schema()["examples"]
    assert shape.model_validate(example).model_dump(mode="json") == example
