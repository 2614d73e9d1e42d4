"""A file of JSON is read record by record, and each member's line is the one that people count."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.compat.imports import json_file
from cafe.compat.imports.json_file import JsonFile, JsonFileError, shown
from cafe.ledger.importing import Place, WrongRecordError

SPACES = ("", "", " ", "\n", "\r\n", "\n\n\t")
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)
RECORDS = st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), min_size=1, max_size=4)


class Written:
    """JSON with white space wherever it may stand, and the line in which each member begins."""

    def __init__(self, value: Any, seed: int) -> None:
        self.text = ""
        self.lines: dict[Place, int] = {}
        self._chance = Random(seed)  # noqa: S311 - no secret depends on it
        self._write(value, ())

    def _write(self, value: Any, place: Place) -> None:
        container: Any = value
        if isinstance(value, dict):
            self._write_all("{}", [(place, *one) for one in container.items()])
        elif isinstance(value, list):
            self._write_all("[]", [(place, *one) for one in enumerate(container)])
        else:
            self._add(json.dumps(value, ensure_ascii=self._chance.random() < 0.5))

    def _write_all(self, brackets: str, items: list[tuple[Place, str | int, Any]]) -> None:
        self._add(brackets[0])
        for number, (place, name, value) in enumerate(items):
            self._add("," if number else "")
            self.lines[*place, name] = self.text.count("\n") + 1
            if isinstance(name, str):
                self._add(json.dumps(name))
                self._add(":")
            self._write(value, (*place, name))
        self._add(brackets[1])

    def _add(self, text: str) -> None:
        self.text += text + self._chance.choice(SPACES)


def read(content: str | bytes, name: str = "users") -> JsonFile:
    """Read a file with one list, of any objects."""
    content = content if isinstance(content, bytes) else content.encode()
    return JsonFile(content, {name: lambda value: value}, lambda _number: None)


def refusal_of(content: str | bytes) -> str:
    """Return what is said of a file that is wrong."""
    with pytest.raises(JsonFileError) as wrong:
        read(content)
    return str(wrong.value)


@given(records=RECORDS, seed=st.integers(0, 10**6))
def test_records_are_read_as_any_parser_reads_them(
    records: list[dict[str, Any]], seed: int
) -> None:
    text = Written({"other": [{}], "users": records}, seed).text
    file = read(text)
    assert file.records == {"users": json.loads(text)["users"]}
    assert [file.value("users", index) for index in range(len(records))] == records


@given(records=RECORDS, seed=st.integers(0, 10**6))
def test_each_member_is_in_the_line_that_a_count_finds(
    records: list[dict[str, Any]], seed: int
) -> None:
    written = Written({"users": records}, seed)
    file = read(written.text)
    for place, line in written.lines.items():
        if len(place) > 1:
            error = file.error("users", int(place[1]), place[2:], "No.")
            assert str(error) == f":{line}: {shown(place)}: No."
    missing = file.error("users", 0, ("no such member", 3), "No.")
    assert str(missing).startswith(f":{written.lines['users', 0]}: ")


@given(content=st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_content_is_read_or_refused_with_a_line(content: bytes) -> None:
    said = ":1:"
    try:
        read(content)
    except JsonFileError as wrong:
        said = str(wrong)
    nothing, line, *_ = said.split(":")
    assert nothing == ""
    assert 1 <= int(line) <= content.count(b"\n") + 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ":1: This is not JSON: A file is one object."),
        ("[]", ":1: This is not JSON: A file is one object."),
        ('{"users": 3}', ":1: users: This is a list of objects."),
        ('{"users":\n[{}, 3]}', ":2: users[1]: This is an object."),
        ('{"users": [\n{"a": 1},\n{"a": }]}', ":3: This is not JSON: Expecting value."),
        ('{"users": [{}\n{}]}', ":2: This is not JSON: Expecting ',' or ']'."),
        ('{"users": [{}],\n}', ":2: This is not JSON: Expecting a name in double quotes."),
        ('{"users" []}', ":1: This is not JSON: Expecting ':' behind a name."),
        ("{}\n{}", ":2: This is not JSON: Something stands behind the object."),
        ('{"users": [\n{"a": NaN}]}', ":2: This is not JSON: This number cannot be read."),
        (f'{{"a": {"9" * 5000}}}', ":1: This is not JSON: This number cannot be read."),
        (f'{{"a": {"[" * 10**5}}}', ":1: This is not JSON: It is nested too deep."),
        (b'{\n"a": "\xff"}', ":2: This is not UTF-8."),
        ('{"users": [],\n"users": []}', ":2: users: This member stands here twice."),
        (
            '{"users": [{"a": 1}, {"b": [{"c": 1,\n"d": {},\n"c": 2}]}]}',
            ":3: users[1].b[0].c: This member stands here twice.",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_line(content: str | bytes, said: str) -> None:
    assert refusal_of(content) == said


def test_what_a_reader_refuses_has_the_line_of_its_member() -> None:
    def refuse(value: Any) -> Any:
        raise WrongRecordError(f"No {value['a']}.", "a")

    with pytest.raises(JsonFileError, match=r"^:3: users\[0\]\.a: No 1\.$"):
        JsonFile(b'{"users": [\n{\n"a": 1}]}', {"users": refuse}, lambda _number: None)


def test_a_byte_order_mark_is_skipped() -> None:
    assert read('\ufeff{"users": [{}]}').records == {"users": [{}]}


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "MOST_BYTES", 2**20)
    assert refusal_of(b" " * (2**20 + 1)) == ":1: A file has at most 1 MiB."


def test_progress_counts_the_records_of_all_lists() -> None:
    reported: list[int] = []
    lists = {"users": dict, "orders": dict}
    JsonFile(b'{"users": [{}, {}], "x": [1], "orders": [{}]}', lists, reported.append)
    assert reported == [1, 2, 3]


def test_a_place_is_shown_as_people_write_it() -> None:
    assert shown(("users", 3, "email")) == "users[3].email"
    assert shown(("orders", 0, "items", "Flat White", "quantity")) == (
        'orders[0].items["Flat White"].quantity'
    )
