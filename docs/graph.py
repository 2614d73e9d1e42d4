"""Print the graph of the rooms: `make graph`.

A row for each floor in tests/test_layout.py, the lowest first, and a column for each floor that is
imported: how many imports lead from the row's floor to the column's. Imports go downward, so each
number is to the left of the diagonal; one to its right is marked with `!`, and the exit code is 1.
A dot on the diagonal is the floor itself. `modules` are the files, without an `__init__.py` that
holds a docstring alone: it marks a folder. `functions` are all that have a `def`, methods included.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter

from tests.imports import SOURCES, file_of, imports_of, is_marker, named, parsed
from tests.test_layout import FLOORS, MOST_MODULES, MOST_ROOMS, ROOMS, room_of


def arrows() -> Counter[tuple[str, str]]:
    """Count the imports from each floor to each other one."""
    found = [one for path in SOURCES for one in imports_of(path)]
    pairs = [
        (room_of(one.importer), room_of(imported))
        for one in found
        if (imported := file_of(one.module)) is not None
    ]
    return Counter(pair for pair in pairs if pair[0] != pair[1])


def modules() -> Counter[str]:
    """Count the modules of each floor."""
    return Counter(room_of(named(path)) for path in SOURCES if not is_marker(path))


def functions() -> Counter[str]:
    """Count the functions of each floor."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return Counter(
        room_of(named(path))
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, kinds)
    )


def cell(row: int, column: int, imports: int) -> str:
    """Return the cell of a row for the floor of a column."""
    if row == column:
        return "·"
    upward = "!" if column > row and imports else ""
    return f"{imports or ''}{upward}"


def lines(graph: Counter[tuple[str, str]]) -> list[str]:
    """Return the graph, row by row, and its totals."""
    files, defs, up = modules(), functions(), len(upward(graph))
    width = max(map(len, FLOORS))
    numbers = range(len(FLOORS))
    head = "".join(f"{number + 1:5}" for number in numbers)
    text = [f"{'':{width + 3}}  modules  functions {head}"]
    for row, floor in enumerate(FLOORS):
        cells = "".join(
            f"{cell(row, column, graph[floor, FLOORS[column]]):>5}" for column in numbers
        )
        title = f"{row + 1:2} {floor:{width}}"
        text.append(f"{title}  {files[floor]:7}  {defs[floor]:9} {cells}".rstrip())
    text += [
        "",
        f"{len(ROOMS)} rooms (at most {MOST_ROOMS}), {up} arrows upward (none may be)",
        f"{files.total()} modules (at most {MOST_MODULES}), {defs.total()} functions",
    ]
    return text


def upward(graph: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the arrows that point upward."""
    return [(one, other) for one, other in graph if FLOORS.index(other) > FLOORS.index(one)]


def main() -> int:
    """Print the graph; return 1 if an arrow points upward."""
    graph = arrows()
    print("\n".join(lines(graph)))
    return int(bool(upward(graph)))


if __name__ == "__main__":
    sys.exit(main())
