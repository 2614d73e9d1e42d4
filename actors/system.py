"""System: the block of code in which actors run, and the registry of the running actors.

The one rule: leaving the block stops every actor, the last started first, so that an actor may ask
those started before it until its own end. If an actor has failed, the block raises the reason.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import trio

from actors.actor import Actor
from actors.cell import Cell
from actors.errors import ActorError, Deadlock
from actors.group import Group
from actors.instance import Factory, FactoryCall, call_factory
from actors.monitoring import Instrument, Listeners, Tree
from actors.ref import Ref
from actors.restart import Restart, Strategy

A = TypeVar("A", bound=Actor)

RESTART = Restart()


class Registry:
    """The running actors of one system by name, in the order of their start, and their tasks."""

    def __init__(self, instruments: Listeners | None) -> None:
        self.nursery: trio.Nursery
        # Cancelled when an actor fails for good.
        self.block = trio.CancelScope()
        self.instruments = instruments
        self.cells: dict[str, Cell[Any]] = {}
        self.closing = False
        self.failure: ActorError | None = None
        # The last number that each name was given: none is reused, so that logs stay clear.
        self._numbers: defaultdict[str, int] = defaultdict(lambda: 1)

    def free_name(self, wanted: str) -> str:
        """Return the name, with a number if another actor has it."""
        name = wanted
        while name in self.cells:
            self._numbers[wanted] += 1
            name = f"{wanted}-{self._numbers[wanted]}"
        return name

    def add(self, cell: Cell[Any], group: Group) -> None:
        """Run an actor that has started."""
        self.cells[cell.name] = cell
        group.add(cell)
        self.nursery.start_soon(cell.run, name=f"actor {cell.name}")

    async def stop(self, grace: float) -> None:
        """Stop every actor; after the grace period, without handling what is still queued."""
        self.closing = True
        try:
            with trio.move_on_after(grace):
                for cell in reversed(list(self.cells.values())):
                    cell.close()
                    try:
                        # Deadlock, if a handler has opened this system and an actor here asks it.
                        await cell.ref.wait_stopped()
                    except Deadlock:
                        # The ask began before, and may be cancelled before the time is over.
                        await cell.stopped.wait()
        finally:
            with trio.CancelScope(shield=True):
                await self._kill()

    async def _kill(self) -> None:
        """End the remaining actors, each after those that were started later.

        All are cancelled at once, and asks between them fail, so that no end has to wait for an
        answer.
        """
        cells = list(reversed(self.cells.values()))
        after: trio.Event | None = None
        for cell in cells:
            cell.kill(after)
            after = cell.stopped
        for cell in cells:
            cell.fail_askers()
        if after is not None:
            await after.wait()

    def remove(self, cell: Cell[Any]) -> None:
        """Forget an actor that has ended; cancel the block if it has failed."""
        del self.cells[cell.name]
        if cell.failure is not None:
            self.block.cancel()
            # Later failures, which are logged, usually result from the first.
            self.failure = self.failure or cell.failure


class System:
    """Starts actors, and lists those that run; made by `open_system` and by `group`."""

    __slots__ = ("_group", "_registry")

    def __init__(self, registry: Registry, group: Group) -> None:
        self._registry = registry
        self._group = group

    @trio.lowlevel.enable_ki_protection
    async def start(
        self,
        factory: Factory[A],
        *,
        name: str | None = None,
        mailbox: int = 256,
        restart: Restart = RESTART,
    ) -> Ref[A]:
        """Start an actor; return its Ref when its `on_start` has run.

        The factory makes the first instance now, and another after every crash. If it is async, it
        is awaited, here and at a restart. In a group that is being restarted, this waits until the
        members before it are up. If cancelled, this cancels the factory and starts nothing. Without
        a name the actor gets that of its class, with a number if that name is in use.

        Raises what the factory or `on_start` raises; ActorError if the factory makes no actor, the
        instance was started before, an actor of that name runs, or the system or the group is being
        stopped; Deadlock if the members before it wait for the caller.
        """
        await trio.lowlevel.checkpoint()
        if mailbox < 1:
            raise ValueError(f"a mailbox has room for one message at least, not for {mailbox}")
        actor: A | None = None
        while actor is None:
            actor = await self._make(factory, name)
        registry = self._registry
        name = name or registry.free_name(type(actor).__name__)
        cell = Cell(
            name,
            factory=factory,
            mailbox=mailbox,
            restart=restart,
            group=self._group,
            nursery=registry.nursery,
            instruments=registry.instruments,
            ended=registry.remove,
        )
        cell.start(actor)
        registry.add(cell, self._group)
        return cell.ref

    async def _make(self, factory: Factory[A], name: str | None) -> A | None:
        """Return an instance that may start right now; None if the factory has to make another."""
        group = self._group
        await group.wait_to_join()
        self._check_open_for(name)
        made = call_factory(factory)
        if not isinstance(made, FactoryCall):
            return made
        with group.starting(made):
            actor = await made.run()
            await group.wait_to_join()
        self._check_open_for(name)
        if not made.interrupted:
            return actor
        await trio.lowlevel.checkpoint_if_cancelled()
        return None

    def _check_open_for(self, name: str | None) -> None:
        """Raise ActorError if no actor of this name may start here."""
        if self._registry.closing:
            raise ActorError("no actor starts in a system that is being left")
        if self._group.closed:
            raise ActorError(f"no actor starts in {self._group.name}, which was stopped")
        if name in self._registry.cells:
            raise ActorError(f"an actor named {name} runs already")

    def group(self, strategy: Strategy, *, name: str = "group") -> "System":
        """Return a part of this system; the actors started in it are restarted by the strategy.

        In the tree it takes the place of one actor. Names are unique in the whole system, which
        stops and fails as it would without groups. It stays, even without actors, until `stop`.
        """
        return System(self._registry, self._group.subgroup(name, strategy))

    async def stop(self) -> None:
        """Stop the members of this group, the last first, and refuse new ones.

        Each actor handles the messages in its mailbox, as after `Ref.stop`; the caller's scopes
        bound the wait, and a cancelled call can be repeated. Raises Deadlock in an async handler of
        one of them.
        """
        await self._group.stop()

    def tree(self) -> Tree:
        """Return the statistics of the running actors, by group, in the order of their start."""
        return self._group.tree()


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def open_system(
    *, grace: float = 5.0, instruments: Iterable[Instrument] = ()
) -> AsyncGenerator[System]:
    """Open a system; leaving the block stops its actors, last started first.

    They have `grace` seconds, in total, to handle their queued messages, and none if the block is
    left by a cancellation. Then the rest fails with ActorStopped. Raises RestartLimitExceeded, and
    cancels the block, if an actor crashed too often, and ActorCrashed if an `on_stop` raised.
    """
    if not grace >= 0:
        raise ValueError(f"a grace period cannot last {grace!r} seconds")
    error: BaseException | None = None
    interrupt: BaseException | None = None
    observers = list(instruments)
    registry = Registry(Listeners(observers) if observers else None)
    group = Group("system", Strategy.ONE_FOR_ONE)
    try:
        async with trio.open_nursery() as registry.nursery:
            try:
                with registry.block:
                    yield System(registry, group)
            except BaseException as raised:  # noqa: BLE001 - raised again below
                # Not raised in the nursery, which would wrap it in a group.
                error = raised
            finally:
                group.close()
                await registry.stop(grace)
    except BaseException as raised:  # noqa: BLE001 - as above
        # From a turn, or a cancellation; it must not replace what the block has raised.
        interrupt = raised
    reason = reason_to_raise(registry.failure, interrupt, error)
    if reason is not None:
        raise reason


def reason_to_raise(
    failure: ActorError | None, interrupt: BaseException | None, error: BaseException | None
) -> BaseException | None:
    """Return the one of an actor's failure, its interrupt and the block's error that explains all.

    Returns a group of them if none explains the others, and None if nothing was raised.
    """
    found: tuple[BaseException | None, ...] = (interrupt, error)
    reasons = [raised for raised in found if raised is not None and not is_consequence(raised)]
    if failure is not None:
        reasons.insert(0, failure)
    if len(reasons) > 1:
        return BaseExceptionGroup("an actor failed, and so did the block", reasons)
    return reasons[0] if reasons else error or interrupt


def is_consequence(error: BaseException) -> bool:
    """Return whether an error says only that an actor failed and the block was cancelled."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(is_consequence(inner) for inner in group.exceptions)
    return isinstance(error, ActorError | trio.Cancelled)
