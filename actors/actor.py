"""Actor: the base class of whoever owns state and answers messages about it."""

from collections.abc import Callable
from typing import Any, ClassVar

from actors.errors import ActorError
from actors.handlers import Handlers
from actors.timers import Timer, Timers


class Actor:
    """An owner of state, touched by one turn at a time. Made by a factory, reached by its `Ref`.

    A crashed instance is replaced by a fresh one from the factory; so keep in it only what the
    constructor and `on_start` can rebuild.
    """

    # Dunder names, so that no subclass takes them by accident.
    __actor_handlers__: ClassVar[Handlers]
    __actor_timers__: Timers | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__actor_handlers__ = Handlers(cls)

    def on_start(self) -> None:
        """Run as the instance's first turn; what it raises leaves `System.start`."""

    def on_stop(self) -> None:
        """Run as the instance's last turn, on an orderly stop; not after a crash."""

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run the callback as a turn of this actor, once, in so many seconds."""
        return self.__started_timers().after(seconds, callback)

    def every(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run the callback as a turn every so many seconds; ticks that come too late are merged."""
        return self.__started_timers().every(seconds, callback)

    def __started_timers(self) -> Timers:
        if self.__actor_timers__ is None:
            name = type(self).__name__
            raise ActorError(f"{name} sets a timer before it is started; do it in on_start")
        return self.__actor_timers__
