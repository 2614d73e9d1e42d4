"""E-mail addresses that clients send, checked the same way on each route.

Rule: pure; no DNS look-ups. The part before the @ is ASCII, since few mail servers accept more; an
international domain may be written either way.
"""

from __future__ import annotations

from typing import Any, Final

from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic import WithJsonSchema
from pydantic_core import PydanticCustomError

from cafe.http.schema import fit

MAX_EMAIL: Final = 254
"""The most characters (RFC 5321, 4.5.3.1.3, without the brackets of a path)."""
EMAIL_SCHEMA: Final = WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_EMAIL})


def checked_email(text: Any) -> ValidatedEmail:
    """Return a validated e-mail address; raises PydanticCustomError for any other value."""
    if isinstance(text, str) and len(text) <= MAX_EMAIL:
        try:
            return validate_email(
                fit(text), check_deliverability=False, allow_smtputf8=False, strict=True
            )
        except EmailNotValidError:
            pass
    raise PydanticCustomError("email", "This is not an e-mail address")
