"""Names as people write them: in one form, and what makes two of them the same; those of shops.

Rule: pure.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

SHOP: Final = re.compile("[a-z][a-z0-9_]{0,30}")
"""What a shop may be called: it is a part of paths, of keys in Redis, and of a schema's name."""


def tidy(text: str) -> str:
    """Return `text` in Unicode's composed form (NFC), with single spaces, and none at its ends."""
    return " ".join(normalize("NFC", text).split())


def key_of(name: str) -> str:
    """Return what two names have in common that people take for the same.

    It is Unicode's canonical caseless match (The Unicode Standard, 3.13, D145).
    """
    return normalize("NFD", normalize("NFD", name).casefold())
