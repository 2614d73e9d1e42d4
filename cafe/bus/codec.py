"""Encode messages, answers and refusals as bytes, and decode them by their declared types.

Rule: only declared types are decoded. A message is read as the type that its actor handles, an
answer as the type that the message names, and a refusal by the arguments of its constructor; so
bytes from the bus cannot create any other object.

All bytes begin with a version. A new minor version may add members that have defaults; bytes with
another major version are refused.
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
"""Major and minor version of the batches and of their contents."""
HEADER: Final = bytes(VERSION)

encode: Final = msgspec.msgpack.Encoder().encode
"""Encodes a message, an answer, or the arguments of a query."""
MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError)
"""The errors of a decoder for bytes that are not of its type."""


class WrongVersion(SettingsError):  # noqa: N818 - what it is, not what happened
    """The bytes are of another major version: a mistake in operation, not a bug."""

    def __init__(self, major: int) -> None:
        super().__init__(
            f"The other end of the bus speaks version {major}, and this program version "
            f"{VERSION[0]}: run one release of the café on all machines."
        )


def seal(body: bytes) -> bytes:
    """Return bytes prefixed with our version."""
    return HEADER + body


def unseal(data: bytes) -> memoryview:
    """Return bytes without the version; raises WrongVersion if its major version is not ours."""
    major = data[0] if data else 0
    if major != VERSION[0]:
        raise WrongVersion(major)
    return memoryview(data)[len(HEADER) :]


def decoder_of(kind: Any) -> Callable[[Any], Any]:
    """Return a decoder of bytes into this type; it raises one of MALFORMED for other bytes."""
    return _decoder_of(kind)


@cache
def _decoder_of(kind: Any) -> Callable[[Any], Any]:
    return msgspec.msgpack.Decoder(kind).decode


def answer_of(message: type[Message[Any, Any]]) -> Any:
    """Return the type of the answers to a message; raises TypeError if it names none."""
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
    """The arguments of a call, each as bytes."""

    positional: list[msgspec.Raw]
    named: dict[str, msgspec.Raw]


def arguments_to_bytes(args: tuple[Any, ...], named: Mapping[str, Any]) -> bytes:
    """Return the arguments of a call as bytes."""
    positional = [msgspec.Raw(encode(one)) for one in args]
    return encode(Arguments(positional, {name: msgspec.Raw(encode(named[name])) for name in named}))


def arguments_from_bytes(
    function: Callable[..., Any], data: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call, decoded by the annotations of the function.

    Raises TypeError for an unknown argument, and one of MALFORMED for one of another type.
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
    """Return the types of a function's parameters after the first, and that of its `*args`."""
    hints = get_type_hints(function)
    _first, *parameters = signature(function).parameters.values()
    rest = [one for one in parameters if one.kind is Parameter.VAR_POSITIONAL]
    kinds = {one.name: hints.get(one.name, Any) for one in parameters if one not in rest}
    # The constructor of Exception has no annotations.
    return kinds, hints.get(rest[0].name, Any) if rest else None


class MadeOf(msgspec.Struct, array_like=True):
    """A refusal: the path of its class, and the arguments of its constructor."""

    path: str
    arguments: msgspec.Raw


def refusal_to_bytes(refusal: CafeRefusal) -> bytes:
    """Return a refusal as bytes."""
    args, named = refusal.made_of
    return encode(MadeOf(_path_of(type(refusal)), msgspec.Raw(arguments_to_bytes(args, named))))


def refusal_from_bytes(data: Any) -> CafeRefusal:
    """Return a refusal; raises LookupError if this program does not know its class."""
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
