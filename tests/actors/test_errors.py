"""Errors carry data, and a refusal is copied for each task that raises it."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors import ActorCrashed, ActorError, MailboxFull, Refusal, RestartLimitExceeded
from actors.errors import copy_error


@dataclass(frozen=True, slots=True)
class Closed(Refusal):
    reason: str
    until: float = field(init=False)


def test_a_copy_has_the_data_and_no_traceback() -> None:
    refusal = Closed("holidays")
    try:
        raise refusal from KeyError("calendar")
    except Closed:
        copy = copy_error(refusal)
    assert copy is not refusal
    assert copy.reason == "holidays"
    assert not hasattr(copy, "until")
    assert copy.__traceback__ is None
    assert copy.__cause__ is refusal.__cause__


def test_every_error_of_the_toolkit_has_one_base_and_its_data() -> None:
    exceeded = RestartLimitExceeded("till", limit=3, within=5)
    full = MailboxFull("till", size=9)
    crashed = ActorCrashed("till")
    for error in (exceeded, full, crashed):
        assert isinstance(error, ActorError)
        assert error.name == "till"
        assert str(copy_error(error)) == str(error)
    assert str(exceeded) == "till crashed more than 3 times within 5 s"
