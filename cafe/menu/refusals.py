"""The refusals about the menu.

Rule: each has a sentence, its HTTP status, and the wrong member of the body. None repeats a
manager's input.
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
    """The wanted products cannot be a menu."""

    kind = "menu"

    def __init__(self, sentence: str, place: Place) -> None:
        """Carry what is wrong, and its `place` in the body."""
        super().__init__(sentence, "body", *place)


class NameTaken(NotAMenu):
    """Another product has this name."""

    status = 409
