"""Actors: typed messages, ask and tell, deferred replies, supervision and timers, on trio."""

from actors.actor import Actor, Timer
from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    Deadlock,
    MailboxFull,
    Refusal,
    RestartLimitExceeded,
)
from actors.message import Message
from actors.monitoring import ActorState, ActorStatistics, Instrument, Tree
from actors.ref import Ref, Reply
from actors.restart import Restart, Strategy
from actors.system import System, open_system

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorError",
    "ActorState",
    "ActorStatistics",
    "ActorStopped",
    "Deadlock",
    "Instrument",
    "MailboxFull",
    "Message",
    "Ref",
    "Refusal",
    "Reply",
    "Restart",
    "RestartLimitExceeded",
    "Strategy",
    "System",
    "Timer",
    "Tree",
    "open_system",
]
