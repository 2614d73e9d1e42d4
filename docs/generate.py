"""Write the parts of the pages that are generated: `make docs`.

python -m docs.generate            writes them
python -m docs.generate --check    writes nothing, and exits with 1 if a page would change

Rule: a generated part is between two comments, which name its generator. It is made from the code
itself: the docstrings of packages, the fields of the settings, the tables of states, and the
functions that print a command's figures.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TypeVar

from cafe.bookings import booking
from cafe.delivery import delivery
from cafe.payments import payment
from cafe.settings import Settings, default_of
from cafe.variables import variable_of
from docs.shown import report, rush
from docs.state_diagram import a_connections_phases, an_orders_life, life_of
from tests.test_layout import ROOMS

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
PART = re.compile(
    r"^(?P<begin><!-- docs/generate\.py makes (?P<name>\w+) -->\n).*?(?=^<!-- end -->$)",
    re.MULTILINE | re.DOTALL,
)


def tree() -> list[str]:
    """Return the folders, each with the first line of its package's docstring."""
    folders = [*sorted(ROOMS, key=lambda room: room.split("/")[0]), "bench", "docs", "tests"]
    lines = [f"{'  ' * folder.count('/')}{Path(folder).name}/" for folder in folders]
    width = max(map(len, lines)) + 2
    shown = [
        f"{line:{width}}{first_line(folder)}" for line, folder in zip(lines, folders, strict=True)
    ]
    return ["```", *shown, "```"]


def first_line(folder: str) -> str:
    """Return the first line of a package's docstring."""
    module = ast.parse((ROOT / folder / "__init__.py").read_text("utf-8"))
    docstring = ast.get_docstring(module)
    if docstring is None:
        raise ValueError(f"{folder}/__init__.py has no docstring for the tree in README.md")
    return docstring.splitlines()[0]


def settings() -> list[str]:
    """Return a table with a row for each setting."""
    rows: list[str] = []
    for name, field in Settings.model_fields.items():
        default = default_of(name)
        shown = f"`{default}`" if default else "none"
        rows.append(f"| `{variable_of(name)}` | {shown} | {field.description} |")
    return ["| variable | default | what |", "|---|---|---|", *rows]


def diagram(rows: list[str]) -> list[str]:
    """Return a state diagram in Mermaid, which GitHub draws."""
    return ["```mermaid", "stateDiagram-v2", *rows, "```"]


def nginx() -> list[str]:
    """Return the configuration that tests/system and docker-compose.yml run nginx with."""
    text = (ROOT / "docs" / "examples" / "nginx.conf").read_text("utf-8")
    return ["```nginx", *text.splitlines(), "```"]


def ended(statuses: Iterable[T], live: Collection[T]) -> list[T]:
    """Return the statuses in which nothing is left to do."""
    return [one for one in statuses if one not in live]


PARTS: dict[str, Callable[[], list[str]]] = {
    "tree": tree,
    "settings": settings,
    "rush": rush,
    "report": report,
    "nginx": nginx,
    "order": lambda: diagram(an_orders_life()),
    "payment": lambda: diagram(life_of(payment.TRANSITIONS, ended(payment.Status, payment.OPEN))),
    "delivery": lambda: diagram(
        life_of(delivery.TRANSITIONS, ended(delivery.Status, delivery.LIVE))
    ),
    "booking": lambda: diagram(
        life_of(booking.TRANSITIONS, ended(booking.Status, [booking.Status.REQUESTED]))
    ),
    "connection": lambda: diagram(a_connections_phases()),
}


def generated(page: str) -> str:
    """Return a page with its parts as they are now."""
    return PART.sub(lambda found: found["begin"] + "\n".join([*PARTS[found["name"]](), ""]), page)


def pages() -> list[Path]:
    """Return the pages that have generated parts, or could have."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> int:
    """Write the pages, or check them; return the exit code."""
    changed: list[Path] = []
    for path in pages():
        page = path.read_text("utf-8")
        if (text := generated(page)) != page:
            changed.append(path)
            if "--check" not in sys.argv[1:]:
                path.write_text(text, "utf-8")
    for path in changed:
        print(f"{path.relative_to(ROOT)} was not what the code says")
    return int(bool(changed) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
