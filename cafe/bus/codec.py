"""Messages, answers and refusals as bytes, and back, by the types that they are declared with.

Rule: what is not declared does not cross. A message is read as the type that its actor handles, an
answer as the type that the message names, and a refusal by the arguments that it was made of; so
bytes from the bus can make nothing but these.

All bytes begin with a version. Another minor version may add members that have defaults; one with
another major version is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from inspect import Parameter, signature
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from actors import Message
from cafe.http.refusals import CafeRefusal
from cafe.settings import SettingsError

R = TypeVar("R", bound=CafeRefusal)

VERSION: Final = (1, 0)
"""Major and minor: of the batches, and of all that is in them."""
HEADER: Final = bytes(VERSION)

encode: Final = msgspec.msgpack.Encoder().encode
"""Makes bytes of a message, an answer, or the arguments of a query."""
MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError)
"""What reading raises for bytes that are not of the type that was asked for."""


class WrongVersion(SettingsError):  # noqa: N818 - what it is, not what happened
    """Bytes of a program with another major version: a mistake of who runs it, and no bug."""

    def __init__(self, major: int) -> None:
        super().__init__(
            f"The other end of the bus speaks version {major}, and this program version "
            f"{VERSION[0]}: run one release of the café on all machines."
        )


def seal(body: bytes) -> bytes:
    """Return bytes with our version in front."""
    return HEADER + body


def unseal(data: bytes) -> memoryview:
    """Return what is behind the version; raises WrongVersion where its major is another."""
    major = data[0] if data else 0
    if major != VERSION[0]:
        raise WrongVersion(major)
    return memoryview(data)[len(HEADER) :]


def decoder_of(kind: Any) -> Callable[[Any], Any]:
    """Return what reads bytes as this type; it raises one of MALFORMED for other bytes."""
    return _decoder_of(kind)


@cache
def _decoder_of(kind: Any) -> Callable[[Any], Any]:
    return msgspec.msgpack.Decoder(kind).decode


def answer_of(message: type[Message[Any, Any]]) -> Any:
    """Return the type of the answers to a message; raises TypeError where it names none."""
    kind: Any = message  # a class is hashable, which mypy does not see
    return _answer_of(kind)


@cache
def _answer_of(message: Any) -> Any:
    for base in message.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            if get_origin(generic) is Message:
                return get_args(generic)[1]
    raise TypeError(f"{message.__name__} names no answer")


class Arguments(msgspec.Struct, array_like=True):
    """What a function was called with, each argument as bytes."""

    positional: list[msgspec.Raw]
    named: dict[str, msgspec.Raw]


def arguments_to_bytes(args: tuple[Any, ...], named: Mapping[str, Any]) -> bytes:
    """Return the arguments of a call as bytes."""
    positional = [msgspec.Raw(encode(one)) for one in args]
    return encode(Arguments(positional, {name: msgspec.Raw(encode(named[name])) for name in named}))


def arguments_from_bytes(
    function: Callable[..., Any], data: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments by the annotations of the function that they are for.

    Raises TypeError for one that it does not have, and one of MALFORMED for one of another type.
    """
    kinds, rest = _kinds_of(function)
    given = decoder_of(Arguments)(data)
    names = list(kinds)
    positional = tuple(
        decoder_of(kinds[names[index]] if index < len(names) else rest)(one)
        for index, one in enumerate(given.positional)
    )
    unknown = given.named.keys() - kinds.keys()
    if unknown:
        raise TypeError(f"{function.__qualname__} has no argument {min(unknown)}")
    return positional, {name: decoder_of(kinds[name])(one) for name, one in given.named.items()}


@cache
def _kinds_of(function: Callable[..., Any]) -> tuple[dict[str, Any], Any]:
    """Return the types of a function's parameters but its first, and that of any further ones."""
    hints = get_type_hints(function)
    _first, *parameters = signature(function).parameters.values()
    rest = [one for one in parameters if one.kind is Parameter.VAR_POSITIONAL]
    kinds = {one.name: hints.get(one.name, Any) for one in parameters if one not in rest}
    # The constructor of Exception has no annotations.
    return kinds, hints.get(rest[0].name, Any) if rest else None


class MadeOf(msgspec.Struct, array_like=True):
    """A refusal: the path of its class, and what it was made of."""

    path: str
    arguments: msgspec.Raw


def refusal_to_bytes(refusal: CafeRefusal) -> bytes:
    """Return a refusal as bytes."""
    args, named = refusal.made_of
    return encode(MadeOf(_path_of(type(refusal)), msgspec.Raw(arguments_to_bytes(args, named))))


def refusal_from_bytes(data: Any) -> CafeRefusal:
    """Return a refusal; raises LookupError for one that this program does not know."""
    made = decoder_of(MadeOf)(data)
    kind = _refusals().get(made.path)
    if kind is None:
        _refusals.cache_clear()  # a module may have been imported since
        kind = _refusals()[made.path]
    args, named = arguments_from_bytes(kind.__init__, made.arguments)
    return kind(*args, **named)


@cache
def _refusals() -> Mapping[str, type[CafeRefusal]]:
    return {_path_of(kind): kind for kind in _kinds_below(CafeRefusal)}


def _kinds_below(kind: type[R]) -> Iterator[type[R]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds_below(one)


def _path_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
