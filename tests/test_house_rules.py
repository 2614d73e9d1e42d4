"""The rules for every file: one idea a module, plain words, and no path of one machine.

Rule: the files themselves are read; nothing is imported for this.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# The modules that are longer, and why a split would not help.
LINES = 350
LONGER: dict[str, str] = {
    "cafe/orders/dispatcher.py": "one owner: all of its turns are read in one place",
    "cafe/payments/cashier.py": "one owner: all of its turns are read in one place",
    "cafe/delivery/couriers.py": "one owner: all of its turns are read in one place",
    "cafe/delivery/fleet.py": "who carries what: every way between the queue and a courier's hand",
    "cafe/orders/messages.py": "all that one actor is told and asked, in one list",
    "cafe/limits/admission.py": "who is let in: places, caps, bans and paces, at one door",
    "cafe/orders/queue.py": "the order book: what it keeps and the one way between its places",
    "tests/actors/test_deadlock.py": "what is a deadlock and what is none, side by side",
    "tests/cafe/ledger/test_committer.py": "all that can happen to one group, on one stage",
    "tests/cafe/server/test_request.py": "a table of heads, and how each is read or refused",
    "tests/system/test_limits.py": "both ports count the same addresses, and a ban holds on both",
    "tests/system/compat/test_coffee_shop.py": "all calls of one system, on one shop",
    "tests/system/compat/test_functech.py": "all calls of one system, on one shop",
    "tests/system/compat/test_restaurant_booking.py": "all calls of one system, asked of one shop",
    "tests/cafe/http/test_plain_routes.py": "a table of requests, and how FastAPI answers them",
}

# Written so that this file does not match itself.
NOT_OURS = re.compile(
    r"[/]root/|[/]work/|[/]farm/|[/]home/[a-z]+/|[/]opt/pypi|files[.]pythonhosted|pypi[.]org|registry[.]npmjs"
)

# Plain technical English has other words: a client or an actor is "it" or "they". Written so that
# this file does not match itself; an underscore ends a word, so names of tests are read as well.
NOT_PLAIN = re.compile(
    r"(?<![a-z])(?:h[e]|h[i]m|h[i]s|h[i]mself|w[h]oever|w[h]om|w[h]omever|s[o]mebody|a[n]ybody"
    r"|n[o]body'?s|c[l]imbs|beg[ai]n\s+anew|thr(?:ew|own)\s+away|no\s+more(?!\s+than))(?![a-z])",
    re.IGNORECASE,
)
NOT_NAMES = frozenset({"meaning", "patience", "retire", "rise", "roster", "told"})
"""Names that did not say what they held."""
WORD_FOR_WORD = "a licence is quoted word for word"
TEXTS_OF_OTHERS = {"LICENSE": WORD_FOR_WORD, "actors/LICENSE": WORD_FOR_WORD}


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
        if path.is_file() and path.suffix not in {".png", ".pyc"} and path.name != ".git"
    )


def test_no_file_names_a_path_of_one_machine_or_the_host_of_an_index() -> None:
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in our_files()}
    assert {
        named(path): hits for path, text in texts.items() if (hits := NOT_OURS.findall(text))
    } == {}


def words_in(text: str) -> list[str]:
    """List the words that are not plain, each with the number of its line."""
    found = NOT_PLAIN.finditer(text)
    return [f"{text.count(chr(10), 0, match.start()) + 1}: {match[0]}" for match in found]


@pytest.mark.parametrize(
    "text", ["~e", "Until ~e", "test_until_~is_order_is_ready", "W~oever", "~E_HAS", "t~rew\naway"]
)
def test_a_word_that_is_not_plain_is_found(text: str) -> None:
    assert len(words_in(text.replace("~", "h"))) == 1


def test_a_part_of_a_word_and_no_more_than_are_plain() -> None:
    assert words_in("the history of this shop has no#more than".replace("#", "\n")) == []


def test_every_text_is_in_plain_words() -> None:
    ours = {named(path): path for path in our_files() if named(path) not in TEXTS_OF_OTHERS}
    texts = {name: path.read_text("utf-8", errors="replace") for name, path in ours.items()}
    found = [f"{name}:{word}" for name, text in texts.items() for word in words_in(text)]
    assert not found, "\n".join(found)


def names_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield each name of a module, with the number of its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield node.lineno, name
            case _:
                pass


def test_every_name_says_what_it_holds() -> None:
    modules = [path for path in our_files() if path.suffix == ".py"]
    trees = {named(path): ast.parse(path.read_text("utf-8")) for path in modules}
    found = [
        f"{file}:{line}: {name}"
        for file, tree in trees.items()
        for line, name in names_in(tree)
        if name.lower().strip("_") in NOT_NAMES
    ]
    assert not found, "\n".join(found)


def test_a_module_is_shorter_than_the_limit_or_listed_with_a_reason() -> None:
    modules = [path for path in our_files() if path.suffix == ".py"]
    lengths = {named(path): len(path.read_text("utf-8").splitlines()) for path in modules}
    assert {name for name, lines in lengths.items() if lines >= LINES} == set(LONGER)


def test_a_module_opens_with_a_docstring() -> None:
    trees = {named(path): ast.parse(path.read_text(encoding="utf-8")) for path in sources()}
    silent = [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []
