"""E-mail addresses that clients send: the same are refused wherever one is read.

Rule: pure; no DNS look-ups. What stands before the @ is ASCII, as few mail servers take anything
else; an international domain may be written either way.
"""

from __future__ import annotations

from typing import Any, Final

from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic import WithJsonSchema
from pydantic_core import PydanticCustomError

from cafe.http.schema import fit

MAX_EMAIL: Final = 254
"""RFC 5321, 4.5.3.1.3, without its brackets."""
EMAIL_SCHEMA: Final = WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_EMAIL})


def checked_email(text: Any) -> ValidatedEmail:
    """Return an e-mail address in its forms; raises an error for anything else."""
    if isinstance(text, str) and len(text) <= MAX_EMAIL:
        try:
            return validate_email(
                fit(text), check_deliverability=False, allow_smtputf8=False, strict=True
            )
        except EmailNotValidError:
            pass
    raise PydanticCustomError("email", "This is not an e-mail address")
