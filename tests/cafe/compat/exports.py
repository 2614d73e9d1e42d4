"""Exports as the tests write them: a record a line, so that the lines of errors can be counted."""

from __future__ import annotations

import json
from typing import Any

Row = dict[str, Any]
SALT, DIGEST = "c2FsdHNhbHQ", "aGFzaGhhc2hoYXNoaGFzaA"
HASH = f"$argon2id$v=19$m=65536,t=3,p=4${SALT}${DIGEST}"
USER: Row = {"user_id": 1, "email": "ada@example.com", "password_hash": HASH}


def export_of(**lists: list[Any]) -> str:
    """Return the text of a file with these lists."""
    parts = [
        f'"{kind}": [\n' + ",\n".join(map(json.dumps, records)) + "]"
        for kind, records in lists.items()
    ]
    return f"{{{','.join(parts)}}}"
