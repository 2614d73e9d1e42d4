"""Draw the state machines of the docs from the tables that they are.

python docs/state_diagram.py            writes the diagrams
python docs/state_diagram.py --check    exits with 1 when one is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

from cafe.orders.order import TRANSITIONS, Action, Status
from cafe.server.connection import DEADLINES, NEXT, Phase

BEGIN, END = "<!-- drawn by state_diagram.py -->\n", "<!-- end -->\n"


def an_orders_life() -> list[str]:
    """Give the rows of an order's life."""
    rows = [f"    [*] --> {Status.WAITING}: {Action.PLACE}"]
    rows += [
        f"    {before} --> {after}: {action}" for (before, action), after in TRANSITIONS.items()
    ]
    return rows + [f"    {last} --> [*]" for last in (Status.DELIVERED, Status.CANCELLED)]


def a_connections_phases() -> list[str]:
    """Give the rows of a connection's phases, each with what bounds it."""
    rows = [f"    [*] --> {Phase.HANDSHAKE.name}: accepted"]
    rows += [
        f"    {before.name} --> {after.name}: {event.name.lower()}"
        for (before, event), after in NEXT.items()
    ]
    rows.append(f"    {Phase.LINGERING.name} --> [*]")
    return rows + [f"    {phase.name}: {phase.name}\\n{key}" for phase, key in DEADLINES.items()]


PAGES = {"orders.md": an_orders_life, "connection.md": a_connections_phases}


def page_with_diagram(page: str, rows: list[str]) -> str:
    """Give the page with these rows in its place, as Mermaid, which GitHub draws."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    diagram = "\n".join(["```mermaid", "stateDiagram-v2", *rows, "```", ""])
    return before + BEGIN + diagram + END + after


def main() -> int:
    """Write the pages, or check them; gives the exit code."""
    code = 0
    for name, rows in PAGES.items():
        path = Path(__file__).with_name(name)
        page = path.read_text("utf-8")
        drawn = page_with_diagram(page, rows())
        if "--check" not in sys.argv[1:]:
            path.write_text(drawn, "utf-8")
        elif drawn != page:
            print(f"docs/{name} is not what the table says: run python docs/state_diagram.py")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
