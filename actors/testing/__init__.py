"""Helpers for the tests of actors: many schedules, virtual time, and waiting without sleeping.

    import pytest
    import trio

    from actors import open_system
    from actors.testing import settle
    from loyalty.card import Card, Count, Stamp  # yours

    @pytest.mark.schedules
    async def test_two_tills_may_stamp_at_once() -> None:
        async with open_system() as system, trio.open_nursery() as tills:
            card = await system.start(Card)
            for _ in range(2):
                tills.start_soon(card.ask, Stamp())
            await settle()
            assert await card.ask(Count()) == 2

**Many schedules.** trio runs tasks that are ready at the same time in a random order, so a race may
hide for months. An async test marked `@pytest.mark.schedules` is run under 3 orders, each drawn
from a seed, with fresh fixtures each time; with `schedules(20)`, under 20. It is still one test. A
failure ends its sweep and names the seed, `[schedule 17]`, with which it can be run again:

    pytest --schedule=17 tests/test_card.py::test_two_tills_may_stamp_at_once

`pytestmark = pytest.mark.schedules` in a module marks all of its async tests. The marker works
together with `parametrize` and with async fixtures. `pytest --schedules=N` sets another number for
all marked tests: 1 while you edit, 500 overnight.

**Virtual time.** A swept test has a clock of its own, which starts at 0 and advances only when
every task is blocked; then it jumps to the next deadline. So `await trio.sleep(60)` lets a minute
pass at once, with all that is due in it; `trio.current_time()` returns the seconds. A task that
waits for a thread or a real socket counts as blocked, and time jumps past it: keep both out of
swept tests (`trio.testing.memory_stream_pair` stands in for a socket).

**Waiting without sleeping.** `await settle()` returns when every other task is blocked; no time has
passed.

**A ref without an actor.** A `Probe(Card)` is a `Ref[Card]` that records the messages it is sent,
and answers from a script or as the test tells it to.

**A forgotten handler.** `assert_handles_all(Card, loyalty.card)` fails if `Card` has no handler for
one of its messages. Type checkers do not see that; an ask raises, but only when it is made.

The marker and the options belong to a pytest plugin (actors.testing.plugin) that is installed with
this package and needs no configuration. It needs pytest-trio, which runs the tests and their async
fixtures, and works with and without its `trio_mode`. A test that runs its function in a loop of its
own, as hypothesis does, cannot be marked: it calls `run_seeded`.
"""

import re
from collections.abc import Iterator
from types import ModuleType, UnionType
from typing import Any, ForwardRef, TypeVar, Union, get_args, get_origin

import trio.testing

from actors.actor import Actor
from actors.message import Message
from actors.testing.probe import Probe
from actors.testing.schedules import run_seeded

__all__ = ["Probe", "assert_handles_all", "run_seeded", "settle"]


async def settle() -> None:
    """Return when every other task is blocked, without any time passing.

    Under the sweep's virtual time, sleeps, timers and deadlines that are due later stay due;
    `await trio.sleep(seconds)` lets that time pass. A task that waits for a thread or a socket
    counts as blocked: settle does not wait for its result.
    """
    await trio.testing.wait_all_tasks_blocked()


def assert_handles_all(actor: type[Actor], *modules: ModuleType) -> None:
    """Raise AssertionError unless the actor has a handler for each of its messages in the modules.

    Its messages are those defined there that name it, or a base class of it, as the owner: by the
    class or in quotes. A message that others there derive from does not count itself. Also raises
    AssertionError if the modules define no message of the actor, since the check would be empty.
    """
    names = {base.__name__ for base in actor.__mro__} - {base.__name__ for base in Actor.__mro__}
    found = [kind for module in modules for kind in messages_in(module) if owners(kind) & names]
    if not found:
        places = ", ".join(module.__name__ for module in modules)
        raise AssertionError(f"no message in {places} names {actor.__name__} as its owner")
    missing = [kind.__name__ for kind in found if not is_handled(actor, kind)]
    if missing:
        raise AssertionError(f"{actor.__name__} has no handler for {', '.join(missing)}")


def messages_in(module: ModuleType) -> list[type[Message[Any, Any]]]:
    """Return the messages that a module defines, except those that others there derive from."""
    found: list[Any] = [one for one in vars(module).values() if isinstance(one, type)]
    own = [one for one in found if Message in one.__mro__ and one.__module__ == module.__name__]
    bases = {base for one in own for base in one.__mro__[1:]}
    return [one for one in own if one not in bases]


def owners(message: type[Message[Any, Any]]) -> set[str]:
    """Return the names of the classes that a message, or a base of it, declares as its owner."""
    return {name for owner in declared_owners(message, ()) for name in names_in(owner)}


def declared_owners(kind: type[Any], arguments: tuple[Any, ...]) -> Iterator[Any]:
    """Yield what a message class declares as its owner, given its type arguments."""
    given = dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=False))
    for base in vars(kind).get("__orig_bases__", kind.__bases__):
        if Message not in getattr(get_origin(base) or base, "__mro__", ()):
            continue
        free: tuple[Any, ...] = getattr(base, "__parameters__", ()) if get_origin(base) else ()
        named: Any = base[tuple(given.get(one, one) for one in free)] if free else base
        origin: Any = get_origin(named) or named
        if origin is Message:
            yield get_args(named)[0]
        else:
            yield from declared_owners(origin, get_args(named))


def names_in(owner: Any) -> set[str]:
    """Return the names of the classes in an owner: a class, or a union, or either in quotes."""
    if get_origin(owner) in {Union, UnionType}:
        return {name for part in get_args(owner) for name in names_in(part)}
    if isinstance(owner, ForwardRef):  # of "Counter", "counters.Counter" or "Counter | Door"
        return set(re.findall(r"\w+", owner.__forward_arg__))
    if isinstance(owner, TypeVar):  # nothing was given for this type parameter
        return set()
    return {getattr(get_origin(owner) or owner, "__name__", "")}


def is_handled(actor: type[Actor], message: type[Message[Any, Any]]) -> bool:
    """Return whether an actor has a handler for a message, or for a base of it."""
    return any(base in actor.__actor_handlers__ for base in message.__mro__)
