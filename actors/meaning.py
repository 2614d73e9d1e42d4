"""Forward references: which class a name in quotes means, at the place where it was written.

The one rule: a name is looked up, never guessed; one that cannot be looked up means nothing.

A message is defined before its owner, whose handlers need it, and so it names its owner in quotes.
Such a name is looked up as a type checker would do it: beside the class that holds it, then in its
module, then among what the module imports for type checkers only, to avoid a circle of imports.
These imports never run, so they are read from the module's source.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import resolve_name


def meaning(name: str, place: type, among: Sequence[type]) -> type | None:
    """Return which of some classes a name means that was written in a class; None if none."""
    beside = ".".join([*place.__qualname__.split(".")[:-1], name])
    if "<locals>" in beside:
        # What a function defines cannot be looked up, and may hide what could be.
        return None
    module = place.__module__
    for find, path in ((lookup, beside), (lookup, name), (lookup_import, name)):
        found = find(module, path)
        if found is not None:
            return found if isinstance(found, type) and found in among else None
    return None


def lookup(module: str, path: str) -> object:
    """Return what a dotted path stands for in a module that was imported; None for nothing."""
    found: object = sys.modules.get(module)
    for name in path.split("."):
        # Not getattr: it would run a module's __getattr__, and find what a class inherits.
        found = getattr(found, "__dict__", {}).get(name)
    return found


def lookup_import(module: str, path: str) -> object:
    """Return what a dotted path stands for by what a module imports for type checkers only."""
    first, _, rest = path.partition(".")
    source, name = imports_for_checkers(module).get(first, ("", ""))
    return lookup(source, ".".join(part for part in (name, rest) if part))


@cache
def imports_for_checkers(module: str) -> dict[str, tuple[str, str]]:
    """Return, by name, what is imported under an `if` of a module: from which module, and what.

    Nothing where the source is not at hand, or not to be understood.
    """
    try:
        holder = sys.modules[module]
        return {
            name: target
            for branch in ast.parse(inspect.getsource(holder)).body
            if isinstance(branch, ast.If)
            for node in ast.walk(branch)
            for name, target in bound(node, holder.__package__)
        }
    # ValueError is what null bytes raised up to Python 3.11.3.
    except (KeyError, OSError, TypeError, SyntaxError, ValueError, ImportError):
        return {}


def bound(node: ast.AST, package: str | None) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the names that an import binds, each with its module and its name there."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            first = alias.name.partition(".")[0]
            yield alias.asname or first, (alias.name if alias.asname else first, "")
    if isinstance(node, ast.ImportFrom):
        source = resolve_name("." * node.level + (node.module or ""), package)
        for alias in node.names:
            yield alias.asname or alias.name, (source, alias.name)
