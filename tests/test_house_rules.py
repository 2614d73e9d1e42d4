"""The rules for every file: one idea a module, plain words, and no path of one machine.

Rule: read from the files themselves; nothing is imported to be looked at.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent

# The modules that are longer, and why a split would not help.
LINES = 350
LONGER: dict[str, str] = {
    "cafe/orders/dispatcher.py": "one owner: all of its turns are read in one place",
    "cafe/orders/queue.py": "the order book: what it keeps and the one way between its places",
    "tests/actors/test_deadlock.py": "what is a deadlock and what is none, side by side",
    "cafe/http/plain_routes.py": "one way from a request to its endpoint, and all that it refuses",
    "tests/cafe/ledger/test_committer.py": "all that can happen to one group, on one stage",
    "tests/cafe/server/test_request.py": "a table of heads, and how each is read or refused",
    "tests/system/test_limits.py": "both ports count the same addresses, and a ban holds on both",
    "tests/cafe/http/test_plain_routes.py": "a table of requests, and how FastAPI answers them",
}

# Written so that this file does not match itself.
NOT_OURS = re.compile(
    r"[/]root/|[/]work/|[/]farm/|[/]home/[a-z]+/|[/]opt/pypi|files[.]pythonhosted|pypi[.]org|registry[.]npmjs"
)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def sources() -> list[Path]:
    return sorted(path for top in ("actors", "cafe") for path in (ROOT / top).rglob("*.py"))


def our_files() -> list[Path]:
    """List every file of the project, by folder, so that it also works where there is no git."""
    folders = ("actors", "cafe", "tests", "bench", "docs", ".ci")
    inner = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return sorted(
        path
        for path in [*ROOT.iterdir(), *inner]
        # In a worktree of git's, `.git` is a file that names the path of the repository.
        if path.is_file() and path.suffix != ".pyc" and path.name != ".git"
    )


def test_no_file_names_a_path_of_one_machine_or_the_host_of_an_index() -> None:
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in our_files()}
    assert {
        named(path): hits for path, text in texts.items() if (hits := NOT_OURS.findall(text))
    } == {}


def test_a_module_is_shorter_than_the_limit_or_listed_with_a_reason() -> None:
    modules = [path for path in our_files() if path.suffix == ".py"]
    lengths = {named(path): len(path.read_text("utf-8").splitlines()) for path in modules}
    assert {name for name, lines in lengths.items() if lines >= LINES} == set(LONGER)


def test_a_module_opens_with_a_docstring() -> None:
    trees = {named(path): ast.parse(path.read_text(encoding="utf-8")) for path in sources()}
    silent = [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []
