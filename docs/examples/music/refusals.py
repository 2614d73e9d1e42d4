"""The refusals of the Jukebox.

Rule: one sentence each, its HTTP status, and its data as attributes.
"""

from __future__ import annotations

from cafe.http.refusals import CafeRefusal


class OneWishEach(CafeRefusal):
    """The order has a wish on the list."""

    status = 409
    members = ("song",)

    def __init__(self, song: str) -> None:
        super().__init__("You have a wish on the list; wait until it is played, or withdraw it.")
        self.song = song


class NoWish(CafeRefusal):
    """The order has no wish on the list."""

    status = 404

    def __init__(self) -> None:
        super().__init__("You have no wish on the list.")


class ListFull(CafeRefusal):
    """The list has as many wishes as it may."""

    status = 503
    retry_after = 180.0

    def __init__(self) -> None:
        super().__init__("The list is full; wish again after a song or two.")


class OrdersAway(CafeRefusal):
    """The Dispatcher did not say whether the order exists."""

    status = 503
    retry_after = 1.0

    def __init__(self) -> None:
        super().__init__("The order could not be looked up; wish again in a moment.")
