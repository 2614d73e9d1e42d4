"""Untrusted text, such as a name or a file's path, as it may be printed: one line, escaped.

Rule: it imports nothing, because every command prints such text.
"""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return the text with each unprintable character escaped, as in `\x1b` and `\n`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
