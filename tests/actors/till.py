"""An actor that lacks a handler for one of its messages, which stand in a module of their own."""

from __future__ import annotations

from actors import Actor
from tests.actors.till_messages import Refund, Ring


class Till(Actor):
    @Ring.handler
    def ring(self, _message: Ring) -> str:
        return "ring"


class WholeTill(Till):
    @Refund.handler
    def refund(self, _message: Refund) -> int:
        return 0
