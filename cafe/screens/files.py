"""The pages' styles, scripts and pictures, as they are in the package.

Rule: they are read once. A name is looked up among them, never made into a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Final, NamedTuple

from cafe.http.etags import etag_of

MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Body(NamedTuple):
    """What a response may bring, and its strong entity tag."""

    content: bytes
    media_type: str
    etag: bytes


def body_of(content: bytes, media_type: str) -> Body:
    """Return a body with its tag."""
    return Body(content, media_type, etag_of(content))


@cache
def static_files() -> Mapping[str, Body]:
    """Return the files by name."""
    return {
        file.name: body_of(file.read_bytes(), MEDIA_TYPES[PurePath(file.name).suffix])
        for file in (files("cafe.screens") / "static").iterdir()
        if PurePath(file.name).suffix in MEDIA_TYPES
    }
