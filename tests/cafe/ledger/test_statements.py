"""However units are put together in a commit, their rows end as if written one after the other."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, delete, select

from cafe.ledger.database import Link, open_database
from cafe.ledger.department import Drop, Entry, Put
from cafe.ledger.errors import LedgerChanged, RowRefused
from cafe.ledger.store import Store, Unit
from tests.cafe.ledger.shelves import boxes, jars, metadata

Changes = Sequence[Put | Drop]


@pytest.fixture
def shelf(url: str) -> Generator[Store]:
    """Yield a store with the tables of the shelf: jars in boxes, with seals that are unique."""
    link = Link(open_database(url))
    with link.transaction(writing=True) as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    yield Store(link, link)
    with link.transaction(writing=True) as connection:
        metadata.drop_all(connection)
    link.close()


def unit(*changes: Put | Drop) -> Unit:
    return Unit("shelf", tuple(Entry(None, (change,)) for change in changes))


def jar(name: str, seal: str | None = None, box: str | None = None) -> Put:
    return Put(jars, (name, 250, seal, box))


def box(name: str, colour: str) -> Put:
    return Put(boxes, (name, colour))


def no_jar(name: str) -> Drop:
    return Drop(jars, (name,))


def no_box(name: str) -> Drop:
    return Drop(boxes, (name,))


def rows(store: Store) -> tuple[dict[str, str | None], dict[str, str]]:
    """Return the seal of each jar and the colour of each box."""

    def read(connection: Connection) -> tuple[dict[str, str | None], dict[str, str]]:
        seals = {name: seal for name, _, seal, _ in connection.execute(select(jars))}
        return seals, {row.box: row.colour for row in connection.execute(select(boxes))}

    return store.read(read)


CASES: dict[str, tuple[Changes, Changes]] = {
    "a seal goes from a jar that is dropped to another": (
        [jar("a", "x")],
        [no_jar("a"), jar("b", "x")],
    ),
    "a seal goes from a jar that stays to another": (
        [jar("a", "x"), jar("b", "y")],
        [jar("a", "z"), jar("b", "x")],
    ),
    "a jar is put twice, and the seal is free only in between": (
        [jar("a", "x"), jar("b", "y")],
        [jar("b", "z"), jar("a", "y"), jar("b", "x")],
    ),
    "seals are swapped": (
        [jar("a", "x"), jar("b", "y")],
        [jar("a", None), jar("b", "x"), jar("a", "y")],
    ),
    "what is dropped and put again has the columns that never change of the new row": (
        [box("n", "red")],
        [no_box("n"), box("n", "blue")],
    ),
    "dropped, put and dropped again": (
        [box("n", "red")],
        [no_box("n"), box("n", "blue"), no_box("n")],
    ),
    "dropped twice and put": (
        [box("n", "red")],
        [no_box("n"), box("n", "blue"), no_box("n"), box("n", "green")],
    ),
    "a jar comes with its box": ([], [box("n", "red"), jar("a", None, "n")]),
    "a jar goes with its box": (
        [box("n", "red"), jar("a", None, "n")],
        [no_jar("a"), no_box("n")],
    ),
    "a jar goes into another box, and its box goes": (
        [box("n", "red"), jar("a", None, "n")],
        [box("m", "blue"), jar("a", None, "m"), no_box("n")],
    ),
    "a box is replaced when its jar has gone": (
        [box("n", "red"), jar("a", None, "n")],
        [no_jar("a"), no_box("n"), box("n", "blue"), jar("b", None, "n")],
    ),
}


@pytest.mark.parametrize("together", ["one unit", "one commit", "apart"])
@pytest.mark.parametrize(("before", "changes"), CASES.values(), ids=CASES)
def test_rows_end_as_if_each_change_had_been_a_commit(
    shelf: Store, before: Changes, changes: Changes, together: str
) -> None:
    for change in before:
        assert not shelf.commit([unit(change)]).refused
    expected = expect(before, changes)
    match together:
        case "one unit":
            assert not shelf.commit([unit(*changes)]).refused
        case "one commit":
            assert not shelf.commit([unit(change) for change in changes]).refused
        case _:
            for change in changes:
                assert not shelf.commit([unit(change)]).refused
    assert rows(shelf) == expected


def expect(*groups: Changes) -> tuple[dict[str, str | None], dict[str, str]]:
    """Play the changes on dictionaries."""
    seals: dict[str, str | None] = {}
    colours: dict[str, str] = {}
    for change in (change for group in groups for change in group):
        kept = seals if change.table is jars else colours
        if isinstance(change, Drop):
            kept.pop(change.key[0], None)
        elif change.table is jars:
            seals[change.row[0]] = change.row[2]
        else:
            colours.setdefault(change.row[0], change.row[1])
    return seals, colours


class LosingLink(Link):
    """Loses its connection when a statement is refused; meanwhile another shop writes."""

    @contextmanager
    def transaction(self, *, writing: bool) -> Generator[Connection]:
        try:
            with super().transaction(writing=writing) as connection:
                yield connection
        except RowRefused:
            with super().transaction(writing=True) as other:
                other.execute(delete(boxes))
                other.exec_driver_sql(
                    "INSERT INTO events (position, department, subject, action, after, at)"
                    " VALUES (1, 'others', 'theirs', 'place', 'waiting', 1.0)"
                )
            self.generation += 1
            raise


def test_a_commit_that_is_written_apart_looks_first_whether_the_log_has_changed() -> None:
    link = LosingLink(open_database("sqlite://"))
    with link.transaction(writing=True) as connection:
        metadata.create_all(connection)
    store = Store(link, link)
    store.begin()
    stray = unit(jar("a", None, "no such box"))._replace(chained=False)
    with pytest.raises(LedgerChanged):
        store.commit([stray, unit(box("n", "red"))])
    assert rows(store) == ({}, {})
    link.close()
