"""The toolkit without instruments: the peer that shows what an unused instrument costs.

Rule: it is generated from the sources on each run, so it cannot fall behind them. Each test for an
instrument becomes a constant, and the compiler drops the branch.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import actors
from bench import counter
from bench.counter import Work

Counting = Callable[..., AbstractAsyncContextManager[dict[str, Work]]]
"""The type of `counter.counting`, also in a generated module."""

TOOLKIT = actors.__name__
INSTRUMENT = re.compile(r"_*instruments?")


class Rewrite(ast.NodeTransformer):
    """Moves a module to another package; if `bare`, removes the tests for an instrument."""

    def __init__(self, package: str, *, bare: bool) -> None:
        self.dropped = 0
        self._package = package
        self._bare = bare

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Import from the new package instead of the toolkit."""
        first, dot, rest = (node.module or "").partition(".")
        if first == TOOLKIT:
            node.module = self._package + dot + rest
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Replace `... is not None` of an instrument by False, `... is None` by True."""
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=None)]) if (
                self._bare and INSTRUMENT.fullmatch(name_of(left))
            ):
                self.dropped += 1
                return ast.copy_location(ast.Constant(isinstance(op, ast.Is)), node)
            case _:
                return self.generic_visit(node)


def name_of(node: ast.expr) -> str:
    """Return the name of an expression, the last of a dotted one; empty if it has none."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.NamedExpr(target=ast.Name(id=name)):
            return name
        case _:
            return ""


def write(source: Path, target: Path, rewrite: Rewrite) -> None:
    """Write a module to `target`, rewritten."""
    tree = rewrite.visit(ast.parse(source.read_text(encoding="utf-8")))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(ast.unparse(tree), encoding="utf-8")


@contextmanager
def rewritten(package: str, *, bare: bool) -> Generator[Counting]:
    """Import the toolkit and the counter a second time, under other names.

    Raises ValueError if `bare` found no test for an instrument.
    """
    rewrite = Rewrite(package, bare=bare)
    toolkit = Path(actors.__file__).parent
    with TemporaryDirectory() as directory:
        root = Path(directory)
        for source in toolkit.rglob("*.py"):
            write(source, root / package / source.relative_to(toolkit), rewrite)
        write(Path(counter.__file__), root / f"{package}_counter.py", rewrite)
        if bare and not rewrite.dropped:
            raise ValueError("nothing in the toolkit tests for an instrument")
        sys.path.insert(0, directory)
        try:
            module = import_module(f"{package}_counter")
        finally:
            sys.path.remove(directory)
        yield cast("Counting", module.counting)
