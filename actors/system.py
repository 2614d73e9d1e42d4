"""System: the block of code in which actors live.

The one rule: whoever leaves the block leaves no actor behind, and takes along why one has failed.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import trio

from actors.actor import Actor
from actors.cell import Cell
from actors.errors import ActorError
from actors.factory import Factory, FactoryCall, call_factory
from actors.group import Group
from actors.instrument import Instrument, Listeners
from actors.ref import Ref
from actors.restart import Restart
from actors.roster import Roster
from actors.strategy import Strategy
from actors.tree import Tree

A = TypeVar("A", bound=Actor)

RESTART = Restart()


class System:
    """Starts actors, and shows those that live. Made by `open_system`; `group` makes more."""

    __slots__ = ("_group", "_roster")

    def __init__(self, roster: Roster, group: Group) -> None:
        self._roster = roster
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
        """Start an actor; return when its `on_start` has run.

        In a group it starts in its turn: if others are being restarted, once those are up.
        The factory makes the first instance now, and another after every crash. It may be async:
        what it waits for is waited for, here and at a restart. Cancelled, this cancels the factory
        and leaves nothing behind. Raises what the factory or `on_start` raises; ActorError if the
        factory gives no actor, the instance was started before, an actor of that name runs, or the
        system is being left; Deadlock if those before it in the group wait for the caller. Without
        a name the actor is called as its class, with a number if need be.
        """
        await trio.lowlevel.checkpoint()
        if mailbox < 1:
            raise ValueError(f"a mailbox has room for one message at least, not for {mailbox}")
        instance: A | None = None
        while instance is None:
            instance = await self._make(factory, name)
        roster = self._roster
        name = name or roster.free_name(type(instance).__name__)
        cell = Cell(
            name,
            factory=factory,
            mailbox=mailbox,
            restart=restart,
            group=self._group,
            nursery=roster.nursery,
            instruments=roster.instruments,
        )
        cell.begin(instance)
        roster.add(cell, self._group)
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
            instance = await made.hold()
            await group.wait_to_join()
        self._check_open_for(name)
        if not made.interrupted:
            return instance
        await trio.lowlevel.checkpoint_if_cancelled()
        return None

    def _check_open_for(self, name: str | None) -> None:
        """Raise ActorError if no actor of this name may start here."""
        if self._roster.closing:
            raise ActorError("no actor starts in a system that is being left")
        if self._group.closed:
            raise ActorError(f"no actor starts in {self._group.name}, which was stopped")
        if name in self._roster.cells:
            raise ActorError(f"an actor named {name} lives already")

    def group(self, strategy: Strategy, *, name: str = "group") -> "System":
        """Return a part of this system; what is started in it is restarted by the strategy.

        In the tree it stands in the place of one actor. Names of actors, the order of stopping and
        what ends the system are those of the whole. It stays, also without actors, until `stop`.
        """
        return System(self._roster, self._group.subgroup(name, strategy))

    async def stop(self) -> None:
        """Stop the actors in here, the tree's last first, and end this group: nobody starts in it.

        Each finishes what is queued, as after `Ref.stop`; the caller's scopes bound the waiting.
        Who is cancelled meanwhile may call again. Raises Deadlock in a handler of one of them.
        """
        await self._group.stop()

    def tree(self) -> Tree:
        """Return the statistics of every actor that lives, in the order of their start."""
        return self._group.tree()


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def open_system(
    *, grace: float = 5.0, instruments: Iterable[Instrument] = ()
) -> AsyncGenerator[System]:
    """Open a system; leaving the block stops its actors, last started first.

    Their queued work has `grace` seconds, all in all, to be handled; none if the block is left by
    cancellation. Then the rest is failed with ActorStopped. Raises RestartLimitExceeded, having
    cancelled the block, if an actor crashed too often, and ActorCrashed if an `on_stop` failed.
    """
    if not grace >= 0:
        raise ValueError(f"a grace period cannot last {grace!r} seconds")
    error: BaseException | None = None
    interrupt: BaseException | None = None
    watching = list(instruments)
    roster = Roster(Listeners(watching) if watching else None)
    group = Group("system", Strategy.ONE_FOR_ONE)
    try:
        async with trio.open_nursery() as roster.nursery:
            try:
                with roster.block:
                    yield System(roster, group)
            except BaseException as raised:  # noqa: BLE001 - raised again below
                # Outside the nursery, which would wrap it in a group.
                error = raised
            finally:
                group.close()
                await roster.stop(grace)
    except BaseException as raised:  # noqa: BLE001 - as above
        # Out of a turn, or a cancellation; it must not replace what the block has raised.
        interrupt = raised
    reason = why_left(roster.failure, interrupt, error)
    if reason is not None:
        raise reason


def why_left(
    failure: ActorError | None, interrupt: BaseException | None, error: BaseException | None
) -> BaseException | None:
    """Choose between an actor's failure, an interrupt of one, and the block's error.

    That is the one which explains the others; all that are left, if there is none.
    """
    found: tuple[BaseException | None, ...] = (interrupt, error)
    reasons = [raised for raised in found if raised is not None and not is_consequence(raised)]
    if failure is not None:
        reasons.insert(0, failure)
    if len(reasons) > 1:
        return BaseExceptionGroup("an actor failed, and so did the block", reasons)
    return reasons[0] if reasons else error or interrupt


def is_consequence(error: BaseException) -> bool:
    """Tell whether an error says no more than that an actor failed and the block was cancelled."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(is_consequence(inner) for inner in group.exceptions)
    return isinstance(error, ActorError | trio.Cancelled)
