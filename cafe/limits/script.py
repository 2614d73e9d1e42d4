"""The argument and the answer of one call of the script `limits.lua`.

Rule: data only. Both are msgpack, with members in the order in which the script unpacks and packs
them: a batch of 128 costs a few microseconds. Times are whole microseconds.
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
"""Microseconds in a second."""
SOURCE: Final = files("cafe.limits").joinpath("limits.lua").read_text("utf-8")
SHA: Final = sha1(SOURCE.encode(), usedforsecurity=False).hexdigest()
"""The hash by which Redis knows the script."""
PAGE: Final = 500
"""The limit of bans in one answer; the next answer has more."""
PORTS: Final[dict[Window, int]] = {window: at for at, window in enumerate(WINDOWS, 1)}


class Outcome(IntEnum):
    """The outcome of one request."""

    ADMITTED = 0
    OVER_LIMIT = 1
    BANNED = 2


class Asked(NamedTuple):
    """A request to be counted."""

    address: str
    port: int
    """One of PORTS."""
    uncounted: int
    """Requests that the guard let through before, and that no grant has counted."""
    wanted: int
    """The most further requests to count in advance, as a grant."""


class Admitted(NamedTuple):
    """The answer to one `Asked`."""

    outcome: int
    remaining: int
    wait: int
    """Until all of the quota is free; for a refused request, until a retry is admitted."""
    granted: int
    """Counted in advance; not in `remaining`."""


class Known(NamedTuple):
    """A ban that a front sends or learns; a lifted ban has 0 `seconds`."""

    address: str
    left: int
    seconds: int


@dataclass(slots=True)
class Call:
    """The argument of a call; the script executes the lists in this order."""

    seen: int = 0
    """The revision up to which the front knows all bans."""
    offered: list[Known] = field(default_factory=list[Known])
    lifts: list[str] = field(default_factory=list[str])
    refusals: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    admits: list[Asked] = field(default_factory=list[Asked])


class Answer(NamedTuple):
    """The answer of the script; `lifted` and `admitted` are in the order of the call."""

    revision: int
    """The revision up to which the front knows all bans now."""
    is_all: bool
    """Whether there are no newer bans."""
    bucket_left: int
    """The time until the next bucket of the windows."""
    addresses: int
    """The number of windows of requests, on both ports."""
    news: list[Known]
    lifted: list[bool]
    admitted: list[Admitted]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Answer)


def microseconds(seconds: float) -> int:
    """Return seconds as whole microseconds."""
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
    """Return the argument of a call; `now` of 0 stands for the clock of Redis."""
    return _encoder.encode(
        (now, call.seen, limits, call.offered, call.lifts, call.refusals, call.admits)
    )


def decode(answer: object) -> Answer:
    """Return the answer of the script; raises msgspec.MsgspecError or TypeError for another one."""
    if not isinstance(answer, bytes):
        raise TypeError(f"the script answers with bytes, and not with {type(answer).__name__}")
    return _decoder.decode(answer)
