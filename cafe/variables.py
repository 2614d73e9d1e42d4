"""The `CAFE_` variables as text: which settings have one that is set.

Rule: no slow imports, since `cafe health` reads variables without the settings' checks. The case of
a variable's name does not matter. An empty variable counts as not set: compose files and
orchestrators pass variables that are not set as empty text.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

PREFIX = "CAFE_"
EMPTY_COUNTS = frozenset({"compat"})
"""Settings for which empty text is a value (none), and not their default."""


def variables(fields: Iterable[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the text of the variables that are set, by the names of these fields."""
    given = {name.upper(): value for name, value in environ.items()}
    texts = {field: given.get(variable_of(field)) for field in fields}
    return {
        field: text
        for field, text in texts.items()
        if text or (text is not None and field in EMPTY_COUNTS)
    }


def variable_of(field: str) -> str:
    """Return the name of a field's variable."""
    return PREFIX + field.upper()
