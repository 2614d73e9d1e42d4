"""The HTTP schemas of letters, for managers.

Rule: pydantic is used here only, at the edge. Times are RFC 3339 in UTC, durations seconds. The
token in a letter's link is for its guest only: it is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email import message_from_string
from email.policy import default
from typing import Any, Final

from pydantic import BaseModel, Field

from cafe.http.app import example
from cafe.http.reply import utc_time
from cafe.letters.letter import Attempt, Kind, Letter, State
from cafe.letters.queries import Page, Shown

ATTEMPT: Final = {
    "number": 1,
    "at": "2026-03-14T09:27:54.8Z",
    "outcome": "450",
    "said": "4.2.0 Greylisted, try again in five minutes",
    "seconds": 0.214,
}
LETTER: Final[dict[str, Any]] = {
    "letter_id": "let_1204_9f86d081884c",
    "booking_id": "hT0bn5ZqYc1xJ3Qek8V_d4Wn",
    "kind": "received",
    "address": "ada@example.org",
    "message_id": "<let_1204_9f86d081884c@cafe.example>",
    "created_at": "2026-03-14T09:27:54.789793Z",
    "state": "retrying",
    "due_at": "2026-03-14T09:28:55.014Z",
    "ended_at": None,
    "attempts": [ATTEMPT],
}
TEXT: Final = "Hello Ada,\n\nthank you for your request. ...\n"
SUBJECT: Final = "We have received your request for a table"
_TOKEN: Final = re.compile(r"(?<=[?&]token=)[^\s&]+")
MASKED: Final = "***"


class LetterAttemptOut(BaseModel):
    """One attempt to send a letter."""

    model_config = example(ATTEMPT)

    number: int
    at: datetime
    outcome: str = Field(
        description="The SMTP status of the last answer, `written` for a file, or a word for the "
        "error."
    )
    said: str | None = Field(description="What the server said of a letter that it refused.")
    seconds: float


class LetterOut(BaseModel):
    """One letter."""

    model_config = example(LETTER)

    letter_id: str
    booking_id: str
    kind: Kind
    address: str
    message_id: str
    created_at: datetime
    state: State
    due_at: datetime | None = Field(description="When it is attempted next.")
    ended_at: datetime | None = Field(description="When it was sent or set aside.")
    attempts: list[LetterAttemptOut] = Field(description="The last thirty.")


class LettersOut(BaseModel):
    """Letters, the newest first."""

    model_config = example({"letters": [LETTER]})

    letters: list[LetterOut]


class WholeLetterOut(LetterOut):
    """One letter with its text."""

    model_config = example({**LETTER, "subject": SUBJECT, "text": TEXT})

    subject: str
    text: str = Field(description="The plain text, without the token of its link.")


def letters_out(page: Page) -> list[dict[str, Any]]:
    """Return the JSON of a page of letters."""
    return [letter_out(one, page.attempts.get(one.letter_id, ())) for one in page.letters]


def whole_letter_out(shown: Shown) -> dict[str, Any]:
    """Return the JSON of a letter with its text, in which the token is masked."""
    message = message_from_string(shown.content, policy=default)
    body = message.get_body(("plain",))
    text = "" if body is None else str(body.get_content()).replace("\r\n", "\n")
    return {
        **letter_out(shown.letter, shown.attempts),
        "subject": str(message["Subject"]),
        "text": _TOKEN.sub(MASKED, text),
    }


def letter_out(one: Letter, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the JSON of a letter with its last attempts."""
    return {
        "letter_id": one.letter_id,
        "booking_id": one.booking_id,
        "kind": one.kind,
        "address": one.address,
        "message_id": one.message_id,
        "created_at": utc_time(one.created_at),
        "state": one.state,
        "due_at": utc_time(one.due_at),
        "ended_at": utc_time(one.ended_at),
        "attempts": [
            {
                "number": attempt.number,
                "at": utc_time(attempt.at),
                "outcome": attempt.outcome,
                "said": attempt.said,
                "seconds": round(attempt.seconds, 3),
            }
            for attempt in attempts
        ],
    }
