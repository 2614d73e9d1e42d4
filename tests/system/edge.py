"""Requests that must be refused, made of an OpenAPI document: one bad value in one place each.

Rule: nothing here knows a route. The base of a body is its schema's example, with all members that
the example leaves out; each of its places, and each parameter, gets each value of a list, by type.
So a route is covered from the moment it is served.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from tests.system.bad_values import (
    BAD_HEADERS,
    BAD_MEMBERS,
    BAD_PARAMETERS,
    BAD_VALUES,
    FREE_MEMBERS,
    NEVER,
    RIGHT,
)
from tests.system.raw_client import request

Json = Any
Document = Mapping[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as OpenAPI documents it."""

    method: str
    path: str
    parameters: tuple[Document, ...]
    media_type: str | None
    body: Document
    document: Document


@dataclass(frozen=True, slots=True)
class Bad:
    """A request with one bad value."""

    name: str
    in_path: bool
    method: str
    target: str
    fields: tuple[bytes, ...]
    body: bytes

    def written(self, fields: Mapping[str, str]) -> bytes:
        """Return the request as it is sent, with these fields as well."""
        lines = [*(f"{name}: {value}" for name, value in fields.items()), "Connection: close"]
        head, end, body = request(self.method, self.target, *lines, body=self.body).partition(
            b"\r\n\r\n"
        )
        return b"\r\n".join([head, *self.fields]) + end + body


def operations(document: Document, prefix: str = "") -> Iterator[Operation]:
    """Yield all operations of an OpenAPI document, with their paths behind a prefix."""
    for path, item in document["paths"].items():
        for method, one in item.items():
            content: Document = one.get("requestBody", {}).get("content", {})
            media_type = next(iter(content), None)
            yield Operation(
                method.upper(),
                prefix + path,
                tuple(one.get("parameters", ())),
                media_type,
                {} if media_type is None else content[media_type]["schema"],
                document,
            )


def bad_requests(operation: Operation) -> Iterator[Bad]:
    """Yield a request for each bad value in each place."""
    for parameter in operation.parameters:
        yield from _bad_parameters(operation, parameter)
    if operation.media_type == "application/json":
        for name, body in bad_bodies(operation.body, operation.document):
            yield _bad(operation, f"body{name}", body=body.encode())
    elif operation.media_type is not None:
        base = sample(operation.body, operation.document)
        for member, schema in places_of_form(operation):
            for kind in types(schema, operation.document) - {"null"}:
                for bad in BAD_PARAMETERS[kind]:
                    others = {name: value for name, value in base.items() if name != member}
                    body = f"{member}={bad}&{urlencode(others)}"
                    yield _bad(operation, f"form.{member}: {bad[:20]}", body=body.encode())


def places_of_form(operation: Operation) -> Iterable[tuple[str, Document]]:
    """Return the members of a form with their schemas."""
    members: Mapping[str, Document] = resolved(operation.body, operation.document)["properties"]
    return members.items()


def _bad_parameters(operation: Operation, parameter: Document) -> Iterator[Bad]:
    name, schema = parameter["name"], parameter["schema"]
    where = f"{parameter['in']}.{name}"
    if parameter["in"] == "header":
        # What has no pattern is free text, which a server may ignore (`Prefer`).
        if any("pattern" in one for one in choices(schema, operation.document)):
            for value in BAD_HEADERS:
                line = name.encode() + b": " + value
                yield _bad(operation, f"{where}: {value[:20]!r}", fields=(line,))
        return
    for kind in types(schema, operation.document) - {"null"}:
        for bad in BAD_PARAMETERS[kind]:
            values = {**_samples(operation, parameter["in"]), name: bad}
            if parameter["in"] == "path":
                yield _bad(operation, f"{where}: {bad[:20]}", path=values)
            else:
                yield _bad(operation, f"{where}: {bad[:20]}", query=values)


def _samples(operation: Operation, place: str) -> dict[str, str]:
    return {
        one["name"]: quote(str(sample(one["schema"], operation.document)), safe="")
        for one in operation.parameters
        if one["in"] == place
    }


def _bad(
    operation: Operation,
    name: str,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    fields: tuple[bytes, ...] = (),
    body: bytes | None = None,
) -> Bad:
    target = operation.path.format(**(path or _samples(operation, "path")))
    if query:
        target += "?" + "&".join(f"{one}={value}" for one, value in query.items())
    if operation.media_type is not None:
        fields = (f"Content-Type: {operation.media_type}".encode(), *fields)
    if body is None and operation.media_type == "application/json":
        body = json.dumps(sample(operation.body, operation.document)).encode()
    method, path_name = operation.method, operation.path
    in_path = path is not None
    return Bad(f"{method} {path_name} {name}", in_path, method, target, fields, body or b"")


def bad_bodies(schema: Document, document: Document) -> Iterator[tuple[str, str]]:
    """Yield JSON texts with one bad value each, with its place and name."""
    base = sample(schema, document)
    for path, one in places(schema, base, document):
        where = _named(path)
        kinds = types(one, document)
        wrong = {name: bad for kind in kinds - {"null"} for name, bad in BAD_VALUES[kind].items()}
        right = frozenset[str]().union(*(RIGHT[kind] for kind in kinds))
        for name, bad in {**wrong, **NEVER}.items():
            if name not in right:
                yield f"{where}: {name}", written(base, path, bad)
        value: Json = value_at(base, path)
        if value.__class__ is dict:
            bad_members = dict(bad_members_of(one, document))
            members: dict[str, Json] = value
            for member, inner in members.items():
                bad_members[f"twice {member}"] = f"{json.dumps(member)}:{json.dumps(inner)}"
            own = json.dumps(value).removeprefix("{").removesuffix("}")
            for name, bad in bad_members.items():
                inside = ",".join(filter(None, (own, bad)))
                yield f"{where}: {name}", written(base, path, f"{{{inside}}}")
        yield from _too_many(base, path, one, document)


def bad_members_of(schema: Document, document: Document) -> Mapping[str, str]:
    """Return the members that an object may not have beside its own."""
    others = [choice.get("additionalProperties") for choice in choices(schema, document)]
    if any(others):
        return FREE_MEMBERS
    # Where nothing is said it is of another system, which ignores those that it does not know.
    return BAD_MEMBERS if False in others else {}


def _too_many(
    base: Json, path: Path, schema: Document, document: Document
) -> Iterator[tuple[str, str]]:
    for one in choices(schema, document):
        most, items = one.get("maxItems"), value_at(base, path)
        if most is not None and isinstance(items, list) and items:
            bad = json.dumps([items[0]] * (most + 1))
            yield f"{_named(path)}: too many", written(base, path, bad)


def _named(path: Path) -> str:
    return "".join(f".{part}" for part in path)


MARK: Final = "the-place-of-the-bad-value"


def written(base: Json, path: Path, bad: str) -> str:
    """Return JSON with `bad`, which is JSON or similar, in the place of one value."""
    return json.dumps(_with(base, path, MARK)).replace(f'"{MARK}"', bad)


def _with(value: Json, path: Path, new: Json) -> Json:
    if not path:
        return new
    copy: Json = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy


def value_at(value: Json, path: Path) -> Json:
    """Return the value in a place."""
    for part in path:
        value = value[part]
    return value


def places(
    schema: Document, value: Json, document: Document, path: Path = ()
) -> Iterator[tuple[Path, Document]]:
    """Yield each place in a value that its schema describes, and the schema there."""
    yield path, schema
    for one in choices(schema, document):
        if isinstance(value, dict):
            for name, inner in one.get("properties", {}).items():
                if name in value:  # else it is of another choice
                    yield from places(inner, value[name], document, (*path, name))
        elif isinstance(value, list) and value and "items" in one:
            yield from places(one["items"], value[0], document, (*path, 0))


def sample(schema: Document, document: Document, given: Json = None) -> Json:
    """Return a value that a schema describes: its example, and all that the example leaves out."""
    one = next(choice for choice in choices(schema, document) if choice.get("type") != "null")
    if given in (None, []):
        given = next(iter([*one.get("examples", ()), *one.get("enum", ())]), one.get("const"))
    kind = one.get("type")
    if kind == "object" and type(given or {}) is dict:
        given = given or {}
        members = one.get("properties", {}).items()
        return {
            **given,
            **{name: sample(inner, document, given.get(name)) for name, inner in members},
        }
    if kind == "array" and type(given or []) is list:
        return [sample(one["items"], document, first) for first in given or [None]]
    if given is None:
        simple = {"string": "a" * one.get("minLength", 1), "boolean": True}
        given = simple.get(str(kind), max(1, one.get("minimum", 1)))
    return given


def resolved(schema: Document, document: Document) -> Document:
    """Return a schema without a reference at its top."""
    while "$ref" in schema:
        target: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema


def choices(schema: Document, document: Document) -> list[Document]:
    """Return the schemas of which one has to hold."""
    schema = resolved(schema, document)
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    return [leaf for one in inner for leaf in choices(one, document)] or [schema]


def types(schema: Document, document: Document) -> set[str]:
    """Return the names of the types that a value may have."""
    found: set[str] = set()
    for one in choices(schema, document):
        kinds = one.get("type", "string")
        found |= {kinds} if isinstance(kinds, str) else set(kinds)
    return found
