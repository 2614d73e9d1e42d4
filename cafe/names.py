"""Names that people write: their normal form, the key by which two are equal, names of shops.

Rule: pure.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

SHOP: Final = re.compile("[a-z][a-z0-9_]{0,30}")
"""The valid names of a shop: parts of paths, of keys in Redis, and of a schema's name."""


def tidy(text: str) -> str:
    """Return `text` in Unicode's composed form (NFC), with single spaces, and none at its ends."""
    return " ".join(normalize("NFC", text).split())


def key_of(name: str) -> str:
    """Return a key that is equal for two names that people consider the same.

    Equal keys are Unicode's canonical caseless match (The Unicode Standard, 3.13, D145).
    """
    return normalize("NFD", normalize("NFD", name).casefold())
