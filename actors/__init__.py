"""Actors: typed messages, ask and tell, deferred replies, supervision and timers, on trio."""

from actors.actor import Actor
from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    Deadlock,
    MailboxFull,
    Refusal,
    RestartLimitExceeded,
)
from actors.instrument import Instrument
from actors.message import Message
from actors.ref import Ref
from actors.reply import Reply
from actors.restart import Restart
from actors.statistics import ActorState, ActorStatistics
from actors.strategy import Strategy
from actors.system import System, open_system
from actors.timers import Timer
from actors.tree import Tree

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
