"""Text of others as it may be shown: on one line, and moving nothing on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Give the text with whatever cannot be seen, or moves the cursor, escaped, as in `\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
