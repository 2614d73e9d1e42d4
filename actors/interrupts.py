"""Interrupts: what of an actor Ctrl-C may cut, of the code that runs in a task of the toolkit.

The one rule: the user's code may be cut at any place, the toolkit's at none. It takes a message and
settles its asker, it wakes a task and notes that it did: a KeyboardInterrupt between two such steps
would leave an asker that nobody answers, or a task that is woken twice. So the calls that do this
are protected by trio, and pass the interrupt on to the main task. What they call of the user's is
called so that it can be interrupted all the same: handlers, timers, factories, `on_start` and
`on_stop`. What `Reply.on_abandoned` calls is not: it runs within a cancellation, inside of trio.
"""

from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any, TypeVar

import trio

T = TypeVar("T")


@trio.lowlevel.disable_ki_protection
def interruptible(function: Callable[[], T]) -> T:
    """Call a function that Ctrl-C may cut, from where it may cut nothing."""
    return function()


@trio.lowlevel.disable_ki_protection
async def interruptible_await(awaitable: Awaitable[T]) -> T:
    """Await what Ctrl-C may cut, from where it may cut nothing."""
    return await awaitable


def let_interrupt(function: Callable[..., Any]) -> None:
    """Let Ctrl-C cut a function wherever it is called from: the above, at no cost for a call."""
    if isinstance(function, FunctionType):
        trio.lowlevel.disable_ki_protection(function)
