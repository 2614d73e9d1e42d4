"""Everything that the toolkit raises. `ActorError` is the base of what can go wrong between actors.

`Refusal` stands apart on purpose: it is an answer, not a fault, and `except ActorError` does not
swallow it.
"""

from collections.abc import Iterable
from typing import TypeVar, cast


class ActorError(Exception):
    """The base of all that goes wrong between actors."""


class ActorStopped(ActorError):  # noqa: N818 - it names what happened, as trio's Cancelled does
    """The actor has stopped, or is stopping, and takes no more messages."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has stopped")
        self.name = name


class ActorCrashed(ActorError):  # noqa: N818 - as above
    """The actor failed while it owed this answer; `__cause__` is what its handler raised.

    Or it was restarted along with another of its group: then `__cause__` is that one's crash.
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
    """An async handler would have waited, through others, for itself; `chain` names them all."""

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
    """An expected "no". Raised by a handler it goes to the asker, and the actor lives on."""


E = TypeVar("E", bound=Exception)

DEFINED_AT_RUN_TIME = 1 << 9
"""CPython's Py_TPFLAGS_HEAPTYPE; copyreg tells Python's own classes by the same flag."""


def caused(error: E, cause: Exception) -> E:
    """Return the error as `raise error from cause` would raise it."""
    error.__cause__ = cause
    return error


def fresh(error: E) -> E:
    """Copy an exception of this module's kinds, but not its traceback, for one more task to raise.

    One instance raised in two tasks would grow one traceback with the frames of both. `copy.copy`
    will not do: it calls the constructor, whose arguments it cannot know. Nor does the `__new__` of
    the class, for the same reason. What cannot be copied at all is given as it is, for an asker
    must hear something.
    """
    try:
        return copied(error)
    except Exception:  # noqa: BLE001 - whatever somebody's class raises as it is looked at
        return error


def copied(error: E) -> E:
    """Copy an exception past the code of its class; raise whatever that raises all the same."""
    kind = type(error)
    twin = builtin_base(kind).__new__(kind, *error.args)
    twin.__dict__.update(error.__dict__)
    for base in kind.__mro__:
        for name in slots(base):
            if hasattr(error, name):
                # Past the class's own __setattr__: the exception may be a frozen dataclass.
                object.__setattr__(twin, name, getattr(error, name))
    object.__setattr__(twin, "__cause__", error.__cause__)
    return twin


def builtin_base(kind: type[E]) -> type[E]:
    """Return the class of Python's own that instances of an exception's class are built upon."""
    base: type = kind
    while base.__flags__ & DEFINED_AT_RUN_TIME and base.__base__ is not None:
        base = base.__base__
    return base


def slots(owner: type) -> list[str]:
    """Name the slots that a class itself defines, as its instances know them."""
    names: str | Iterable[str] = vars(owner).get("__slots__", ())
    # One string is one slot, and a private name is mangled.
    names = [names] if isinstance(names, str) else names
    prefix = "_" + owner.__name__.lstrip("_")
    return [
        prefix + name if name.startswith("__") and not name.endswith("__") else name
        for name in names
    ]


def parted(error: BaseException) -> tuple[Exception | None, BaseException]:
    """Part a group into the faults in it and the rest, as trio.Cancelled, if there are both."""
    if not isinstance(error, BaseExceptionGroup):
        return None, error
    group = cast("BaseExceptionGroup[BaseException]", error)
    faults, rest = group.split(Exception)
    return (None, group) if rest is None else (faults, rest)
