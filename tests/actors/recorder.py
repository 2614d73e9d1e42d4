"""Recorder, an instrument that keeps a line of each event."""

from __future__ import annotations

from typing import Any

from actors import Instrument, Message, Ref, Refusal

WHOLE = ["enqueued", "started", "finished"]
"""The events of one message."""


class Recorder(Instrument):
    """Keeps one line for each event: the actor, the event and the message."""

    def __init__(self, lines: list[str] | None = None, sign: str = "") -> None:
        self.lines: list[str] = [] if lines is None else lines
        self.sign = sign
        self.causes: list[BaseException] = []

    def enqueued(self, actor: Ref[Any], message: Message[Any, Any]) -> None:
        self._write(actor, "enqueued", message)

    def started(self, actor: Ref[Any], message: Message[Any, Any]) -> None:
        self._write(actor, "started", message)

    def finished(self, actor: Ref[Any], message: Message[Any, Any]) -> None:
        self._write(actor, "finished", message)

    def refused(self, actor: Ref[Any], message: Message[Any, Any] | None, refusal: Refusal) -> None:
        self._write(actor, "refused", message)
        self.causes.append(refusal)

    def crashed(self, actor: Ref[Any], message: Message[Any, Any] | None, cause: Exception) -> None:
        self._write(actor, "crashed", message)
        self.causes.append(cause)

    def restarted(self, actor: Ref[Any], cause: BaseException) -> None:
        self._write(actor, "restarted")
        self.causes.append(cause)

    def _write(self, actor: Ref[Any], what: str, *messages: object) -> None:
        to = [f" {None if one is None else type(one).__name__}" for one in messages]
        self.lines.append(f"{self.sign}{actor.name} {what}" + "".join(to))

    def of(self, message: str) -> list[str]:
        """Return the events of messages of this type, in order."""
        return [line.split()[1] for line in self.lines if line.endswith(f" {message}")]
