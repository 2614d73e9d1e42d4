"""The refusals about notifications.

Rule: each has a sentence, its data as members, and its HTTP status.
"""

from __future__ import annotations

from cafe.http.refusals import CafeRefusal
from cafe.notifications.notification import State


class UnknownNotification(CafeRefusal):
    """There is no such notification, or it was deleted long ago."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such notification.")


class NothingToRetry(CafeRefusal):
    """The notification is delivered, or held behind another one."""

    status = 409
    members = ("notification_state",)

    def __init__(self, notification_state: State) -> None:
        because = {State.HELD: "it is held until the one before it is delivered: retry that one"}
        super().__init__(f"Nothing to retry: {because.get(notification_state, 'it is delivered')}.")
        self.notification_state = notification_state
