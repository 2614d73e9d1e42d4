"""Ownership: an actor that lacks a handler for one of its messages is refused when it is started.

The one rule: an actor is never refused wrongly. A message binds an actor only if the owner that it
names is, beyond doubt, a class of that actor's; where that cannot be told, an ask will tell.

The messages that exist are the subclasses of Message, so there is no registry to keep. Three
things make some of them ghosts, which bind nobody:

1. `@dataclass(slots=True)` makes a class twice, and the first lives until it is collected. So
   does, with all that it holds, a module that was loaded again. A message counts only if its
   module holds it under its name.
2. What a function defines lives on after the function has returned, and of two calls nobody can
   tell which owner belongs to which message. No module holds it, so such a message is left out too.
3. A message that others derive from may be abstract, so only the derived ones count.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from types import UnionType
from typing import Any, ForwardRef, Union, get_args, get_origin

from actors.actor import Actor
from actors.errors import ActorError
from actors.meaning import lookup, meaning
from actors.message import Message


def check_complete(actor: type[Actor]) -> None:
    """Raise ActorError if a class of actors lacks a handler for one of its messages.

    A class that passed is not checked again: messages defined later are found out by an ask.
    """
    handlers = actor.__actor_handlers__
    if handlers.complete:
        return
    taken = {identity(message) for message in handlers}
    missing = [
        message.__name__
        for message in messages_of(actor)
        if taken.isdisjoint(map(identity, message.__mro__))
    ]
    if missing:
        handler = " and ".join(f"@{name}.handler" for name in missing)
        raise ActorError(
            f"{actor.__name__} has no handler for {', '.join(missing)}, so it cannot be started: "
            f"mark methods of it with {handler}, or with deferred"
        )
    handlers.complete = True


def messages_of(actor: type[Actor]) -> list[type]:
    """Return the messages that an actor must handle."""
    # Not Actor itself: a message to any actor is nobody's own.
    line = [owner for owner in actor.__mro__ if owner not in Actor.__mro__]
    owned = [message for message in living() if any(True for _ in owners(message, line))]
    bases = set(chain.from_iterable(message.__mro__[1:] for message in owned))
    return [
        message for message in owned if message not in bases and not inspect.isabstract(message)
    ]


def identity(message: type) -> tuple[str, str]:
    """Return what a class and its ghosts have in common."""
    return message.__module__, message.__qualname__


def living() -> list[type]:
    """Return the messages that are no ghosts."""
    return [message for message in descendants(Message) if lookup(*identity(message)) is message]


def descendants(base: type) -> Iterator[type]:
    """Yield all subclasses of a class, the first defined first."""
    derived: type
    for derived in base.__subclasses__():
        yield derived
        yield from descendants(derived)


def owners(message: type, line: Sequence[type]) -> Iterator[type]:
    """Yield those of an actor's classes that a message names as its owner."""
    named, place = declared(message)
    for part in get_args(named) if get_origin(named) in (Union, UnionType) else (named,):
        if isinstance(part, ForwardRef):
            # "Counter", "counters.Counter", "Counter[int]", "Counter | Door".
            for name in re.findall(r"[\w.]+", re.sub(r"\[.*\]", "", part.__forward_arg__)):
                owner = meaning(name, place, line)
                if owner is not None:
                    yield owner
        elif unsubscripted(part) in line:
            yield unsubscripted(part)


def unsubscripted(named: Any) -> Any:
    """Return `Box` for `Box[int]`, and anything else as it is."""
    return get_origin(named) or named


def declared(message: type) -> tuple[Any, type]:
    """Return the owner as a message declares or inherits it, and the class that says so."""
    bases: tuple[Any, ...] = vars(message).get("__orig_bases__", message.__bases__)
    messages = (base for base in bases if Message in getattr(unsubscripted(base), "__mro__", ()))
    base = next(messages, Message)
    if unsubscripted(base) is Message:
        return (get_args(base) or (None,))[0], message
    return filled_in(message, unsubscripted(base), get_args(base))


def filled_in(message: type, generic: type, arguments: tuple[Any, ...]) -> tuple[Any, type]:
    """Return the owner that a generic base declares, or that a message fills in for it."""
    owner, place = declared(generic)
    parameters: tuple[Any, ...] = getattr(generic, "__parameters__", ())
    if owner in parameters and len(parameters) == len(arguments):
        return arguments[parameters.index(owner)], message
    return owner, place
