"""The HTTP schemas of the menu; pydantic is used only at the edge.

Rule: texts are tidied here; the model compares and stores them unchanged.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from cafe.http.app import example
from cafe.http.schema import Schema, Text, schema_example
from cafe.menu.catalogue import ProductWish, VariationWish
from cafe.menu.product import MOST_CENTS
from cafe.names import tidy

LATTE: Final[dict[str, Any]] = {
    "id": "latte",
    "name": "Latte",
    "description": "",
    "category": "Coffee",
    "position": 20,
    "base_price_cents": 400,
    "sold_out": False,
    "variations": [{"id": "latte-vanilla", "name": "Vanilla", "price_change_cents": 30}],
}
NEW: Final[dict[str, Any]] = {
    "name": "Cortado",
    "category": "Coffee",
    "base_price_cents": 320,
    "variations": [{"name": "Oat Milk", "price_change_cents": 40}],
}
MOST_PRODUCTS: Final = 500
MOST_VARIATIONS: Final = 100
"""For one product. Both only limit what is parsed: MOST_BYTES limits a whole menu."""
LONGEST_NAME: Final = 80
LONGEST_DESCRIPTION: Final = 1000
LAST_POSITION: Final = 1_000_000


def _tidied(longest: int, shortest: int = 0) -> AfterValidator:
    """Return a validator that tidies a text, and refuses it if it is then too long or too short.

    NFC can make a text longer.
    """

    def tidied(text: str) -> str:
        text = tidy(text)
        if len(text) < shortest:
            raise PydanticCustomError("string_too_short", "This is only white space")
        if len(text) > longest:
            raise PydanticCustomError("string_too_long", "This is too long in Unicode's NFC")
        return text

    return AfterValidator(tidied)


Id = Annotated[str, Field(max_length=64, pattern="^[A-Za-z0-9_-]{1,64}$")]
"""The id of a product or a variation: it appears in paths unescaped."""
Name = Annotated[
    Text, Field(min_length=1, max_length=LONGEST_NAME), _tidied(LONGEST_NAME, shortest=1)
]
Category = Annotated[Text, Field(max_length=LONGEST_NAME), _tidied(LONGEST_NAME)]
Description = Annotated[Text, Field(max_length=LONGEST_DESCRIPTION), _tidied(LONGEST_DESCRIPTION)]
Price = Annotated[int, Field(ge=0, le=MOST_CENTS)]
PriceChange = Annotated[int, Field(ge=-MOST_CENTS, le=MOST_CENTS)]
Position = Annotated[int, Field(ge=0, le=LAST_POSITION)]


class NewVariationIn(Schema):
    """One way to have a new product."""

    model_config = schema_example(NEW["variations"][0])

    name: Name
    price_change_cents: PriceChange = Field(description="Added to the product's base price.")


class VariationIn(NewVariationIn):
    """One way to have a product, as a manager wants it."""

    model_config = schema_example(LATTE["variations"][0])

    id: Id | None = Field(
        default=None, description="Without it, the variation of this name is meant, or a new one."
    )


NewVariations = Annotated[list[NewVariationIn], Field(max_length=MOST_VARIATIONS)]
Variations = Annotated[list[VariationIn], Field(max_length=MOST_VARIATIONS)]


class _WholeIn(Schema):
    """What a whole product has beside its variations."""

    name: Name = Field(description="Unlike that of any other product, in any case.")
    description: Description = ""
    category: Category = ""
    position: Position | None = Field(
        default=None, description="The lowest is shown first; without it, behind all others."
    )
    base_price_cents: Price
    sold_out: bool = False


class ProductIn(_WholeIn):
    """A new product."""

    model_config = schema_example(NEW)

    variations: NewVariations = Field(default_factory=list[NewVariationIn])

    def wish(self, product_id: str) -> ProductWish:
        """Return the wish for a product with this id."""
        return _wish(self, product_id)


class ListedIn(_WholeIn):
    """One product of a whole menu."""

    model_config = schema_example(LATTE)

    id: Id | None = Field(
        default=None, description="Without it, the product of this name is meant, or a new one."
    )
    variations: Variations = Field(default_factory=list[VariationIn])

    def wish(self) -> ProductWish:
        """Return what is wanted of the product."""
        return _wish(self, self.id)


class MenuIn(Schema):
    """A whole menu; what is not listed leaves it."""

    model_config = schema_example({"products": [LATTE]})

    products: Annotated[list[ListedIn], Field(max_length=MOST_PRODUCTS)]

    def wishes(self) -> tuple[ProductWish, ...]:
        """Return the wish for each product."""
        return tuple(one.wish() for one in self.products)


class ProductPatch(Schema):
    """What is to change of a product; what is left out or null stays as it is."""

    model_config = schema_example({"base_price_cents": 420, "sold_out": True})

    name: Name | None = None
    description: Description | None = None
    category: Category | None = None
    position: Position | None = None
    base_price_cents: Price | None = None
    sold_out: bool | None = None
    variations: Variations | None = Field(
        default=None, description="All of them: those that are not listed leave the menu."
    )

    def wish(self) -> ProductWish:
        """Return what is wanted of the product."""
        return _wish(self, None)


def _wish(of: ProductIn | ListedIn | ProductPatch, product_id: str | None) -> ProductWish:
    variations = None
    if of.variations is not None:
        variations = tuple(map(_variation_wish, of.variations))
    return ProductWish(
        product_id,
        of.name,
        of.description,
        of.category,
        of.position,
        of.base_price_cents,
        of.sold_out,
        variations,
    )


def _variation_wish(of: NewVariationIn) -> VariationWish:
    variation_id = of.id if isinstance(of, VariationIn) else None
    return VariationWish(variation_id, of.name, of.price_change_cents)


class VariationOut(BaseModel):
    """One way to have a product."""

    model_config = example(LATTE["variations"][0])

    id: str
    name: str
    price_change_cents: int = Field(description="Added to the product's base price.")


class ProductOut(BaseModel):
    """A product on the menu."""

    model_config = example(LATTE)

    id: str
    name: str
    description: str
    category: str
    position: int
    base_price_cents: int
    sold_out: bool
    variations: list[VariationOut]


class MenuOut(BaseModel):
    """The menu, in the order in which it is shown."""

    model_config = example({"products": [LATTE]})

    products: list[ProductOut]
