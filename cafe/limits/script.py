"""What a front sends to the script `limits.lua` in one call, and what comes back.

Rule: data only. Both ends are msgpack with the same order of members as the script unpacks and
packs: a batch of 128 costs a few microseconds. Times are whole microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha1
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec

from cafe.limits.bans import LONGEST
from cafe.limits.rate_limiter import CREDIT_SHARE, WINDOWS, Limits, Window

MICROSECONDS: Final = 1_000_000
"""In a second."""
SOURCE: Final = files("cafe.limits").joinpath("limits.lua").read_text("utf-8")
SHA: Final = sha1(SOURCE.encode(), usedforsecurity=False).hexdigest()
"""By which Redis knows the script."""
PAGE: Final = 500
"""Bans that one answer brings at most; the next brings more."""
PORTS: Final[dict[Window, int]] = {window: at for at, window in enumerate(WINDOWS, 1)}


class Outcome(IntEnum):
    """What became of one request."""

    ADMITTED = 0
    OVER_LIMIT = 1
    BANNED = 2


class Asked(NamedTuple):
    """A request that is to be counted."""

    address: str
    port: int
    """One of PORTS."""
    uncounted: int
    """Requests that were passed on before, and that no grant has counted."""
    wanted: int
    """At most so many more are counted ahead, for the front to give away."""


class Admitted(NamedTuple):
    """The answer to one `Asked`."""

    outcome: int
    remaining: int
    wait: int
    """Until all of the quota is free; of one that was refused: until a retry is admitted."""
    granted: int
    """Counted ahead; not in `remaining`."""


class Known(NamedTuple):
    """A ban that a front knows, or learns; one that was lifted has no `seconds`."""

    address: str
    left: int
    seconds: int


@dataclass(slots=True)
class Call:
    """What a front sends. It is carried out in this order."""

    seen: int = 0
    """The revision of the newest ban that the front knows."""
    offered: list[Known] = field(default_factory=list[Known])
    lifts: list[str] = field(default_factory=list[str])
    refusals: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    admits: list[Asked] = field(default_factory=list[Asked])


class Answer(NamedTuple):
    """What the script answers; `lifted` and `admitted` in the order of what was asked."""

    revision: int
    """Up to which the front knows all bans now."""
    is_all: bool
    """Whether there are no newer ones."""
    bucket_left: int
    """Until the next bucket of the windows begins."""
    addresses: int
    """Windows of requests, on both ports."""
    news: list[Known]
    lifted: list[bool]
    admitted: list[Admitted]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Answer)


def microseconds(seconds: float) -> int:
    """Return seconds as the script counts them."""
    return round(seconds * MICROSECONDS)


def members_of(limits: Limits) -> tuple[int, ...]:
    """Return the limits in the order in which the script unpacks them."""
    return (
        microseconds(limits.window_seconds),
        limits.requests,
        limits.worker_requests,
        limits.ban_after,
        microseconds(limits.ban_seconds),
        microseconds(max(limits.ban_seconds, LONGEST)),
        limits.max_addresses,
        CREDIT_SHARE,
        PAGE,
    )


def encode(limits: tuple[int, ...], call: Call, now: int = 0) -> bytes:
    """Return the argument of a call; `now` of 0 is the time of Redis' clock."""
    return _encoder.encode(
        (now, call.seen, limits, call.offered, call.lifts, call.refusals, call.admits)
    )


def decode(answer: object) -> Answer:
    """Return what the script has answered.

    Raises msgspec.MsgspecError or TypeError for anything that it does not answer.
    """
    if not isinstance(answer, bytes):
        raise TypeError(f"the script answers with bytes, and not with {type(answer).__name__}")
    return _decoder.decode(answer)
