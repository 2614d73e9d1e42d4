"""What tests of `cafe import` share: it runs on a database of the test's own, and that is read."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from cafe.ledger.checking import check, open_reader
from cafe.ledger.tables import metadata
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.cli.running import run_command
from tests.cafe.compat.exports import Row, export_of
from tests.imports import ROOT

EXPORTS = ROOT / "docs/examples/exports"
SYSTEMS = ("functech", "courier-service", "restaurant-booking", "coffee-shop")
PRODUCT: Row = {"name": "Latte", "price": 4}
DISTRICT: Row = {"sid": 1, "name": "North"}
COURIER: Row = {"sid": 1, "name": "Ada", "districts": ["North"]}
TABLE: Row = {"id": 1, "seats": 4}
ORDER: Row = {
    "order_id": 7,
    "user_id": 1,
    "items": {"Latte": {}},
    "total_price": 4,
    "status": "PENDING",
    "created_at": "2025-02-01T08:00:00",
}
BROUGHT: Row = {"sid": 3, "name": "Cake", "district": "North", "courier_sid": 1, "status": 1}


@dataclass(frozen=True, slots=True)
class Importer:
    """Runs `cafe import` on a database, and looks at that."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, system: str, *args: str, **lists: list[Any]) -> tuple[int, str, str]:
        """Import these records, a line each; return the exit code and what was printed."""
        (self.folder / "export.json").write_text(export_of(**lists))
        return self.run(system, "export.json", *args)

    def run(self, *args: str) -> tuple[int, str, str]:
        """Run the command; return the exit code and what was printed."""
        status = run_command(["import", *args])
        captured = self.capsys.readouterr()
        return status, captured.out, captured.err

    def refusal(self, system: str, **lists: list[Any]) -> str:
        """Return the one line of a refused import, without the name of the file."""
        status, out, err = self(system, **lists)
        assert (status, out) == (2, "")
        *_, line = err.splitlines()
        return line.removeprefix("cafe: export.json")

    @property
    def url(self) -> str:
        """The database."""
        return f"sqlite:///{self.folder}/cafe.db"

    @contextmanager
    def connection(self) -> Generator[Connection]:
        """Read the database."""
        with open_reader(self.url) as connection:
            yield connection

    def rows(self) -> dict[str, list[Any]]:
        """Return all rows of all tables."""
        with self.connection() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                for table in metadata.sorted_tables
            }

    def broken(self) -> list[str]:
        """Return the promises that are broken."""
        with self.connection() as connection:
            found = check(connection, DEPARTMENTS)
            return [f"{one.sentence}: {one.findings[0]}" for one in found if one.findings]
