"""The random state of trio's scheduler, to check that a sweep leaves it as it was."""

from __future__ import annotations

from importlib import import_module
from typing import Any

scheduler: Any = import_module("trio._core._run")


def state() -> tuple[object, ...]:
    return scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()
