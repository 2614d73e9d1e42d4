"""Draw the order's life in docs/orders.md from the table of transitions.

python docs/state_diagram.py            writes the diagram
python docs/state_diagram.py --check    exits with 1 when it is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

from cafe.orders.order import TRANSITIONS, Action, Status

PAGE = Path(__file__).with_name("orders.md")
BEGIN, END = "<!-- drawn by state_diagram.py -->\n", "<!-- end -->\n"


def diagram() -> str:
    """Give the table as a Mermaid state diagram, which GitHub draws."""
    rows = [f"    [*] --> {Status.WAITING}: {Action.PLACE}"]
    rows += [
        f"    {before} --> {after}: {action}" for (before, action), after in TRANSITIONS.items()
    ]
    rows += [f"    {last} --> [*]" for last in (Status.DELIVERED, Status.CANCELLED)]
    return "\n".join(["```mermaid", "stateDiagram-v2", *rows, "```", ""])


def page_with_diagram(page: str) -> str:
    """Give the page with the diagram in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + diagram() + END + after


def main() -> int:
    """Write the page, or check it; gives the exit code."""
    page = PAGE.read_text("utf-8")
    drawn = page_with_diagram(page)
    if "--check" in sys.argv[1:]:
        if drawn != page:
            print("docs/orders.md is not what the table says: run python docs/state_diagram.py")
        return int(drawn != page)
    PAGE.write_text(drawn, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
