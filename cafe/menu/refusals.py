"""The refusals about the menu.

Rule: one sentence each, its HTTP status, and where in the body it is wrong. What a manager sent is
not repeated.
"""

from __future__ import annotations

from typing import Any

from cafe.http.refusals import CafeRefusal
from cafe.menu.product import Place


class UnknownProduct(CafeRefusal):
    """No such product, or it was deleted."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such product on the menu.")


class NotAMenu(CafeRefusal):
    """What is asked for cannot be a menu; `errors` are as those of any other invalid body."""

    status = 422
    members = ("errors",)

    def __init__(self, sentence: str, place: Place) -> None:
        """Say what is wrong, and where in the body."""
        super().__init__(sentence)
        error: dict[str, Any] = {"loc": ["body", *place], "type": "menu", "message": sentence}
        self.errors = [error]


class NameTaken(NotAMenu):
    """Another product has this name."""

    status = 409
