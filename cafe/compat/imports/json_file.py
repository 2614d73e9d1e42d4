"""A file of JSON that is read record by record, with the line of each error.

Rule: an error is one sentence with its line and member. The standard library decodes the records,
at its own speed; lines are searched only for errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from cafe.ledger.importing import Place, WrongRecordError

MOST_BYTES: Final = 64 * 2**20
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NAME: Final = re.compile(r"\w+")


class JsonFileError(Exception):
    """The file is wrong; the message has the line and the reason, to follow its name."""

    def __init__(self, sentence: str, line: int, place: Place = ()) -> None:
        """Describe what is wrong in a line, and with which member."""
        named = "" if not place else f" {shown(place)}:"
        super().__init__(f":{line}:{named} {sentence}")


def shown(place: Sequence[str | int]) -> str:
    """Return a place for people, such as `users[3].email`."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


class JsonFile:
    """One object, some members of which are lists of records."""

    def __init__(
        self,
        content: bytes,
        readers: Mapping[str, Callable[[Any], Any]],
        report: Callable[[int], None],
    ) -> None:
        """Read the `content` of a file; raises JsonFileError for the first error.

        `readers` has by the name of each list a function that makes a record of a decoded object,
        or raises WrongRecordError; other members are skipped. `report` is called with the number of
        records read so far.
        """
        if len(content) > MOST_BYTES:
            raise JsonFileError(f"A file has at most {MOST_BYTES // 2**20} MiB.", 1)
        self.records: dict[str, list[Any]] = {}
        """By the name of their list."""
        self._text = _decoded(content)
        self._begins: dict[str, list[int]] = {}
        """By the name of a list: where each record begins in the text."""
        self._readers, self._report, self._read = readers, report, 0
        try:
            self._read_all()
        except _TwiceError:
            place, at = _find_twice(self._text)
            raise JsonFileError("This member stands here twice.", self._line(at), place) from None
        except _NotJsonError as wrong:
            raise JsonFileError(f"This is not JSON: {wrong}.", self._line(wrong.at)) from None

    def value(self, name: str, index: int) -> Any:
        """Return a record as it was decoded."""
        return _Cursor(self._text, self._begins[name][index]).value()

    def error(self, name: str, index: int, place: Place, sentence: str) -> JsonFileError:
        """Return the error of a member of a record, or of one that is missing there."""
        at = _find(self._text, self._begins[name][index], place)
        return JsonFileError(sentence, self._line(at), (name, index, *place))

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def _read_all(self) -> None:
        cursor = _Cursor(self._text)
        if cursor.peek() != "{":
            cursor.fail("A file is one object")
        met = set[str | int]()
        for name, _ in cursor.entries():
            if name in met:
                raise _TwiceError
            met.add(name)
            if name in self._readers:
                self._read_list(cursor, str(name))
            else:
                cursor.value()
        if cursor.peek():
            cursor.fail("Something stands behind the object")

    def _read_list(self, cursor: _Cursor, name: str) -> None:
        if cursor.peek() != "[":
            raise JsonFileError("This is a list of objects.", self._line(cursor.at), (name,))
        read, records = self._readers[name], self.records.setdefault(name, [])
        begins = self._begins.setdefault(name, [])
        for _, at in cursor.entries():
            begins.append(at)
            if cursor.peek() != "{":
                raise self.error(name, len(records), (), "This is an object.")
            try:
                records.append(read(cursor.value()))
            except WrongRecordError as wrong:
                raise self.error(name, len(records), wrong.place, wrong.sentence) from None
            self._read += 1
            self._report(self._read)


class _NotJsonError(Exception):
    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


class _TwiceError(Exception):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _TwiceError
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


class _Cursor:
    """A position in a text of JSON, which advances."""

    def __init__(self, text: str, at: int = 0) -> None:
        self._text = text
        self.at = at

    def peek(self) -> str:
        """Skip white space, and return the next character; the empty text at the end."""
        match = _SPACE.match(self._text, self.at)
        self.at = self.at if match is None else match.end()
        return self._text[self.at : self.at + 1]

    def fail(self, why: str) -> NoReturn:
        """Raise the error of this position."""
        raise _NotJsonError(why, self.at)

    def value(self) -> Any:
        """Return the next value, and move behind it."""
        self.peek()
        try:
            value, self.at = _decoder.raw_decode(self._text, self.at)
        except json.JSONDecodeError as error:
            raise _NotJsonError(error.msg, error.pos) from None
        except RecursionError:
            self.fail("It is nested too deep")
        except ValueError:
            self.fail("This number cannot be read")
        return value

    def entries(self) -> Iterator[tuple[str | int, int]]:
        """Yield the name or index of each item, and where it begins; the caller reads its value.

        An element of a list begins where its value does.
        """
        is_object = self.peek() == "{"
        closing = "}" if is_object else "]"
        self.at += 1
        if self.peek() == closing:
            self.at += 1
            return
        number = 0
        while True:
            self.peek()
            begins, name = self.at, self._name() if is_object else number
            yield name, begins
            number += 1
            char = self.peek()
            if char not in {",", closing}:
                self.fail(f"Expecting ',' or '{closing}'")
            self.at += 1
            if char == closing:
                return

    def _name(self) -> str:
        if self.peek() != '"':
            self.fail("Expecting a name in double quotes")
        name: str = self.value()
        if self.peek() != ":":
            self.fail("Expecting ':' behind a name")
        self.at += 1
        return name


def _find(text: str, at: int, place: Sequence[str | int]) -> int:
    """Return where a member of the value at `at` begins, or if missing, the innermost around it."""
    begins = at
    for step in place:
        cursor = _Cursor(text, at)
        if cursor.peek() not in {"{", "["}:
            return begins
        for name, name_at in cursor.entries():
            if name == step:
                begins, at = name_at, cursor.at
                break
            cursor.value()
        else:
            return begins
    return begins


def _find_twice(text: str) -> tuple[Place, int]:
    """Return the first member that is twice in its object, and where the second one begins."""
    steps: list[str | int] = []
    cursor = _Cursor(text)
    while True:
        met = set[str | int]()
        for name, name_at in cursor.entries():
            if name in met:
                return (*steps, name), name_at
            met.add(name)
            cursor.peek()
            begins = cursor.at
            try:
                cursor.value()
            except _TwiceError:
                steps.append(name)
                cursor = _Cursor(text, begins)
                break
        else:
            raise AssertionError("no member stands there twice")


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise JsonFileError("This is not UTF-8.", line) from None
