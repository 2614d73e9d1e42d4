"""A replacement for a standard stream that was closed when the process was started.

Rule: it imports nothing that takes long, because every command may need one.
"""

from __future__ import annotations

import os
from io import TextIOWrapper


class Absent(TextIOWrapper):
    """A stream that accepts any text, and discards it."""

    def __init__(self) -> None:
        """Write to /dev/null; characters that cannot be encoded are escaped."""
        null = open(os.devnull, "wb")  # noqa: PTH123, SIM115 - open until the end
        super().__init__(null, encoding="utf-8", errors="backslashreplace")
