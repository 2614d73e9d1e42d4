"""A menu as a file of YAML, for people to edit.

Rule: each scalar is its text, so `NO`, `1:30` and `~` are names like any others, and a price is
decimal text with two places. An error is one sentence with its line and member, and nothing of such
a file is used. A written file is read back as the same menu.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

import yaml
from pydantic import ValidationError

from cafe.http.app import said
from cafe.menu.catalogue import Catalogue
from cafe.menu.product import Menu, MenuError, Place
from cafe.menu.schemas import MenuIn

MOST_BYTES: Final = 256 * 1024
DEEPEST: Final = 8
"""The most levels of nesting; a menu has five, and reading is recursive."""

_TEXT: Final = "tag:yaml.org,2002:str"
_PRICE: Final = re.compile(r"([+-]?)([0-9]{1,7})\.([0-9]{2})")
_INTEGER: Final = re.compile(r"[0-9]{1,7}")


class MenuFileError(Exception):
    """The file is not a menu; the message has the line and the reason, to follow its name."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        """Describe what is wrong in a line, or in the file as a whole."""
        super().__init__(f": {sentence}" if line is None else f", line {line}: {sentence}")


class _WrongError(Exception):
    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place
        self.sentence = sentence


def price_text(cents: int) -> str:
    """Return cents as decimal text with two places."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def _cents(value: Any, place: Place) -> int:
    match = _PRICE.fullmatch(_text(value, place))
    if match is None:
        raise _WrongError(place, "A price is decimal text with two places, such as 3.50.")
    cents = int(match[2]) * 100 + int(match[3])
    return -cents if match[1] == "-" else cents


def _price(value: Any, place: Place) -> int:
    cents = _cents(value, place)
    if cents < 0:
        raise _WrongError(place, "A price is not below zero.")
    return cents


def _integer(value: Any, place: Place) -> int:
    text = _text(value, place)
    if _INTEGER.fullmatch(text) is None:
        raise _WrongError(place, "This is an integer, such as 10.")
    return int(text)


def _boolean(value: Any, place: Place) -> bool:
    text = _text(value, place)
    if text not in {"true", "false"}:
        raise _WrongError(place, "This is true or false.")
    return text == "true"


def _text(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise _WrongError(place, "This is text.")
    return value


class _List:
    def __init__(self, shape: Mapping[str, _Member]) -> None:
        self.shape = shape

    def __call__(self, value: Any, place: Place) -> list[dict[str, Any]]:
        items: Any = value
        if not isinstance(value, list):
            raise _WrongError(place, "This is a list.")
        return [_members(one, (*place, index), self.shape) for index, one in enumerate(items)]


_Member = tuple[str, Callable[[Any, Place], Any]]
"""The name of a member in JSON, and the function that reads its value."""

_VARIATION: Final[Mapping[str, _Member]] = {
    "id": ("id", _text),
    "name": ("name", _text),
    "price_change": ("price_change_cents", _cents),
}
_PRODUCT: Final[Mapping[str, _Member]] = {
    "id": ("id", _text),
    "name": ("name", _text),
    "description": ("description", _text),
    "category": ("category", _text),
    "position": ("position", _integer),
    "price": ("base_price_cents", _price),
    "sold_out": ("sold_out", _boolean),
    "variations": ("variations", _List(_VARIATION)),
}
_MENU: Final[Mapping[str, _Member]] = {"products": ("products", _List(_PRODUCT))}
_IN_FILE: Final = {of: name for shape in (_PRODUCT, _VARIATION) for name, (of, _) in shape.items()}


def _members(value: Any, place: Place, shape: Mapping[str, _Member]) -> dict[str, Any]:
    members: Any = value
    if not isinstance(value, dict):
        raise _WrongError(place, f"This has the members {', '.join(shape)}.")
    read: dict[str, Any] = {}
    for name, one in members.items():
        if name not in shape:
            raise _WrongError((*place, name), f"There is no such member, but {', '.join(shape)}.")
        of, reading = shape[name]
        read[of] = reading(one, (*place, name))
    return read


# Writing


def yaml_of(products: Sequence[Mapping[str, Any]]) -> str:
    """Return products, as `GET /menu` shows them, as a file."""
    items = [_product_node(one) for one in products]
    root = _mapping_node({"products": _sequence_node(items)})
    # So wide that no text is folded into several lines.
    text: str = yaml.serialize(  # pyright: ignore[reportUnknownMemberType] - no types for nodes
        root, Dumper=yaml.SafeDumper, allow_unicode=True, width=10**6
    )
    return text


def _product_node(product: Mapping[str, Any]) -> yaml.MappingNode:
    nodes = {name: _scalar_node(name, product[of]) for name, (of, _) in _PRODUCT.items()}
    variations = [
        _mapping_node({name: _scalar_node(name, one[of]) for name, (of, _) in _VARIATION.items()})
        for one in product["variations"]
    ]
    return _mapping_node({**nodes, "variations": _sequence_node(variations)})


def _scalar_node(name: str, value: Any) -> yaml.Node:
    """Return a value as a YAML node; texts that look like other types are quoted."""
    if name.startswith("price"):
        return yaml.ScalarNode("tag:yaml.org,2002:float", price_text(value))
    if isinstance(value, bool):
        return yaml.ScalarNode("tag:yaml.org,2002:bool", str(value).lower())
    if isinstance(value, int):
        return yaml.ScalarNode("tag:yaml.org,2002:int", str(value))
    return yaml.ScalarNode(_TEXT, value)


def _mapping_node(members: Mapping[str, yaml.Node]) -> yaml.MappingNode:
    pairs = [(yaml.ScalarNode(_TEXT, name), one) for name, one in members.items()]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)


def _sequence_node(items: Sequence[yaml.Node]) -> yaml.SequenceNode:
    return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=not items)


# Reading


class MenuFile:
    """A menu that was read from a file, and the lines of its members."""

    def __init__(self, content: bytes) -> None:
        """Read the `content` of a file; raises MenuFileError."""
        if len(content) > MOST_BYTES:
            raise MenuFileError(f"A menu has at most {MOST_BYTES:,} bytes.")
        self._lines: dict[Place, int] = {(): 1}
        try:
            value = _Events(_decoded(content), self._lines).value()
            self.menu = MenuIn.model_validate(_members(value, (), _MENU))
            # Checked as the menu of a new shop: so only the file can be wrong.
            Catalogue(Menu()).replace(self.menu.wishes(), map(str, count()).__next__)
        except _WrongError as wrong:
            raise self.error(wrong.place, wrong.sentence) from None
        except ValidationError as invalid:
            first = min(invalid.errors(), key=lambda one: self._line(one["loc"]))
            raise self.error(first["loc"], f"{said(first)}.") from None
        except MenuError as wrong:
            raise self.error(("products", *wrong.place), wrong.sentence) from None

    def error(self, place: Sequence[str | int], sentence: str) -> MenuFileError:
        """Return the error of a member, given its place in JSON or in the file."""
        names = [_IN_FILE.get(str(one), str(one)) for one in place]
        return MenuFileError(
            ": ".join(filter(None, [".".join(names), sentence])), self._line(place)
        )

    def _line(self, place: Sequence[str | int]) -> int:
        """Return the line of a member, or of the one that should contain it."""
        found = tuple(_IN_FILE.get(one, one) if isinstance(one, str) else one for one in place)
        while found not in self._lines:
            found = found[:-1]
        return self._lines[found]


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MenuFileError("This is not UTF-8.", line) from None


class _Events:
    """YAML as dictionaries, lists and texts, and the line of each.

    Built from the parser's events: so a scalar is its text, whatever type it looks like, and no
    alias is expanded.
    """

    def __init__(self, text: str, lines: dict[Place, int]) -> None:
        self._text = text
        self._lines = lines
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.BaseLoader)

    def value(self) -> Any:
        """Return the only document."""
        try:
            begun = [next(self._events), next(self._events)]
            if not isinstance(begun[-1], yaml.DocumentStartEvent):
                raise MenuFileError("The file is empty.")
            value = self._value(next(self._events), ())
            next(self._events)
            another = next(self._events)
            if not isinstance(another, yaml.StreamEndEvent):
                raise MenuFileError("Here begins another document.", _line(another.start_mark))
        except yaml.reader.ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            raise MenuFileError("This character cannot stand in YAML.", line) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise MenuFileError(f"This is not YAML: {error.problem}.", _line(mark)) from None
        return value

    def _value(self, event: Any, place: Place) -> Any:
        line = _line(event.start_mark)
        self._lines[place] = line
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise MenuFileError("A menu has no anchors and aliases.", line)
        if event.tag not in {None, "!"}:
            raise MenuFileError("A menu has no tags.", line)
        if len(place) > DEEPEST:
            raise MenuFileError("This is nested too deep.", line)
        if isinstance(event, yaml.ScalarEvent):
            return event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(place)
        return self._pairs(place)

    def _items(self, place: Place) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _pairs(self, place: Place) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event.start_mark)
            name = self._value(event, (*place, ""))
            if not isinstance(name, str):
                raise MenuFileError("The name of a member is text.", line)
            if name in pairs:
                raise MenuFileError(f"{name}: This member stands here twice.", line)
            pairs[name] = self._value(next(self._events), (*place, name))
            self._lines[*place, name] = line
        return pairs


def _line(mark: Any) -> int:
    line: int = mark.line
    return line + 1
