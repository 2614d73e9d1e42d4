"""What the modules of `actors/` and `cafe/` import, read from their sources.

Rule: no module is imported for this; the syntax trees are read. The tests of the floors and the
graph of the rooms (`docs/graph.py`) use the same functions.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for top in ("actors", "cafe") for path in (ROOT / top).rglob("*.py"))


class Import(NamedTuple):
    """One `import` or `from ... import`: which module imports which."""

    importer: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}"


def named(path: Path) -> str:
    """Return a path from the root."""
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def is_marker(path: Path) -> bool:
    """Return whether a module is an `__init__.py` that holds a docstring at most."""
    docstring = [] if ast.get_docstring(parsed(path)) is None else parsed(path).body[:1]
    return path.name == "__init__.py" and len(parsed(path).body) == len(docstring)


def file_of(module: str) -> str | None:
    """Return the path of one of our modules, given its dotted name."""
    base = ROOT.joinpath(*module.split("."))
    paths = (base.with_suffix(".py"), base / "__init__.py")
    return next((named(path) for path in paths if path.is_file()), None)


def imports_of(path: Path) -> list[Import]:
    """List what a module imports; a name that is itself a module of ours counts as that module."""
    found: list[Import] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [Import(named(path), node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                module = inner if file_of(inner) else node.module
                found.append(Import(named(path), node.lineno, module))
    return found
