"""What the pages say, in each language: one TOML file a language, a table a page.

Rule: the texts are data. `{name}` in one is filled in where it is shown, here or in the browser;
English is the language of those who accept neither.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from cafe.http.reply import weights

LANGUAGES: Final = ("en", "de")
"""The default one first."""

Texts = Mapping[str, str]
"""By key, the texts of one page in one language."""


@cache
def read_texts(language: str) -> Mapping[str, Texts]:
    """Return the texts of a language by page."""
    file = files("cafe.screens") / "texts" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def texts_of(page: str, language: str) -> Texts:
    """Return the texts of a page: those of all pages, and its own."""
    texts = read_texts(language)
    return {**texts["all"], **texts[page]}


def chosen_language(asked: str | None, accept: str) -> str:
    """Return the language of a page: the one that was asked for, else the best of `accept`.

    `accept` is an Accept-Language field (RFC 9110, section 12.5.4); of a tag such as `de-AT` only
    the language counts.
    """
    if asked in LANGUAGES:
        return asked
    given: dict[str, float] = {}
    for tag, weight in weights(accept).items():
        language = tag.partition("-")[0]
        given[language] = max(weight, given.get(language, 0.0))
    otherwise = given.get("*", 0.0)
    return max(LANGUAGES, key=lambda one: given.get(one, otherwise))
