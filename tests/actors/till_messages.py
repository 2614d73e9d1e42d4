"""What can be said to the Till, which is imported for type checkers only: it imports these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Message

if TYPE_CHECKING:
    from tests.actors.till import Till  # noqa: F401 - the owner that the messages name


@dataclass(frozen=True, slots=True)
class Ring(Message["Till", str]):
    """Answered with a sound."""


@dataclass(frozen=True, slots=True)
class Refund(Message["Till", int]):
    """Answered with what is left."""
