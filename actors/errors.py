"""The toolkit's own exceptions, and how an exception is copied for another task.

The one rule: a `Refusal` is an answer, not a fault, so `except ActorError` does not catch it.
"""

from collections.abc import Iterable
from typing import TypeVar, cast


class ActorError(Exception):
    """The base class of every error between actors."""


class ActorStopped(ActorError):  # noqa: N818 - it names what happened, as trio's Cancelled does
    """The actor has stopped, or is stopping, and accepts no messages."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has stopped")
        self.name = name


class ActorCrashed(ActorError):  # noqa: N818 - as above
    """The actor crashed before it answered; `__cause__` is what its handler raised.

    Or it was restarted along with another actor of its group: then `__cause__` is that crash.
    """

    def __init__(self, name: str, *, along_with: str | None = None) -> None:
        super().__init__(
            f"{name} crashed" if along_with is None else f"{name} was restarted with {along_with}"
        )
        self.name = name


class RestartLimitExceeded(ActorError):  # noqa: N818 - as above
    """An actor crashed more than `limit` times within `within` seconds; `__cause__` is why."""

    def __init__(self, name: str, limit: int, within: float) -> None:
        super().__init__(f"{name} crashed more than {limit} times within {within:g} s")
        self.name = name
        self.limit = limit
        self.within = within


class Deadlock(ActorError):  # noqa: N818 - as above
    """An async handler would have waited, through others, for itself; `chain` has their names."""

    def __init__(self, *chain: str) -> None:
        super().__init__(" -> ".join(chain))
        self.chain = chain


class MailboxFull(ActorError):  # noqa: N818 - as above
    """The mailbox has no room and the sender did not want to wait."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__(f"the mailbox of {name} is full: {size} messages")
        self.name = name
        self.size = size


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """An expected "no". Raised by a handler, it is raised in the asker; the actor goes on."""


E = TypeVar("E", bound=Exception)

DEFINED_AT_RUN_TIME = 1 << 9
"""CPython's Py_TPFLAGS_HEAPTYPE; copyreg recognises built-in classes by the same flag."""


def with_cause(error: E, cause: Exception) -> E:
    """Return the error as `raise error from cause` would raise it."""
    error.__cause__ = cause
    return error


def copy_error(error: E) -> E:
    """Return a copy of an exception, without its traceback, for one more task to raise.

    One instance raised in two tasks would have one traceback with the frames of both. `copy.copy`
    does not work here: it calls the constructor, whose arguments it cannot know. Nor does the
    `__new__` of the class, for the same reason. An exception that cannot be copied is returned
    itself, because the asker needs an outcome.
    """
    try:
        return copy_past_class(error)
    except Exception:  # noqa: BLE001 - whatever the user's class raises as it is read
        return error


def copy_past_class(error: E) -> E:
    """Copy an exception without calling its constructor; raise what reading its slots raises."""
    kind = type(error)
    copy = builtin_base(kind).__new__(kind, *error.args)
    copy.__dict__.update(error.__dict__)
    for base in kind.__mro__:
        for name in slots(base):
            if hasattr(error, name):
                # Not by the class's own __setattr__: the exception may be a frozen dataclass.
                object.__setattr__(copy, name, getattr(error, name))
    object.__setattr__(copy, "__cause__", error.__cause__)
    return copy


def builtin_base(kind: type[E]) -> type[E]:
    """Return the built-in class that an exception's class derives from."""
    base: type = kind
    while base.__flags__ & DEFINED_AT_RUN_TIME and base.__base__ is not None:
        base = base.__base__
    return base


def slots(owner: type) -> list[str]:
    """Return the names of the slots that a class itself defines, mangled where Python does so."""
    names: str | Iterable[str] = vars(owner).get("__slots__", ())
    # One string is one slot.
    names = [names] if isinstance(names, str) else names
    prefix = "_" + owner.__name__.lstrip("_")
    return [
        prefix + name if name.startswith("__") and not name.endswith("__") else name
        for name in names
    ]


def split_crash(error: BaseException) -> tuple[Exception | None, BaseException]:
    """Split a group into its Exceptions, which are a crash, and the rest, such as trio.Cancelled.

    The crash is None unless the group has both.
    """
    if not isinstance(error, BaseExceptionGroup):
        return None, error
    group = cast("BaseExceptionGroup[BaseException]", error)
    crash, rest = group.split(Exception)
    return (None, group) if rest is None else (crash, rest)
