"""The refusals about the menu.

Rule: one sentence each, its HTTP status, and where in the body it is wrong. What a manager sent is
not repeated.
"""

from __future__ import annotations

from cafe.http.refusals import CafeRefusal, Invalid
from cafe.menu.product import Place


class UnknownProduct(CafeRefusal):
    """No such product, or it was deleted."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such product on the menu.")


class NotAMenu(Invalid):
    """What is asked for cannot be a menu."""

    kind = "menu"

    def __init__(self, sentence: str, place: Place) -> None:
        """Say what is wrong, and where in the body."""
        super().__init__(sentence, "body", *place)


class NameTaken(NotAMenu):
    """Another product has this name."""

    status = 409
