"""Actors: typed messages, ask and tell, deferred replies, supervision and timers, on trio."""

from actors.actor import Actor
from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    MailboxFull,
    Refusal,
    RestartLimitExceeded,
)
from actors.message import Message
from actors.ref import Ref
from actors.reply import Reply
from actors.restart import Restart
from actors.statistics import ActorStatistics
from actors.system import System, open_system
from actors.timers import Timer

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorError",
    "ActorStatistics",
    "ActorStopped",
    "MailboxFull",
    "Message",
    "Ref",
    "Refusal",
    "Reply",
    "Restart",
    "RestartLimitExceeded",
    "System",
    "Timer",
    "open_system",
]
