"""Every difference between our server and what both its peers do, with its reason.

Rule: a reason names the cases of the corpus that show it, all of them, and recognises them, so that
it also recognises what is made by chance. Nothing else may differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.peers.comparing import Difference

PLAIN_HOST = re.compile(
    rb"([\w.%~!$&'()*+,;=-]+|\[[\da-f]*:[\da-f:.]*\])(:\d{0,4})?", re.ASCII | re.IGNORECASE
)
"""Some of the valid hosts; not all of them."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why our server differs, the cases that show it, and how it is recognised."""

    why: str
    cases: frozenset[str]
    explains: Callable[[bytes, Difference], bool]


def omits_continue(_raw: bytes, found: Difference) -> bool:
    ours, theirs = found.ours, found.theirs
    return (
        ours is not None
        and theirs is not None
        and theirs.interim == (100,)
        and replace(ours, interim=(100,)) == theirs
    )


def holds_short_response_back(raw: bytes, found: Difference) -> bool:
    cut = found.theirs is not None and not found.theirs.is_whole
    return found.we_refuse == 500 and cut and b"/short" in raw


def ignores_websocket(raw: bytes, found: Difference) -> bool:
    return bool(found.they_refuse) and not found.we_refuse and b"websocket" in raw.lower()


def says_it_precisely(_raw: bytes, found: Difference) -> bool:
    return found.they_refuse == 400 and found.we_refuse in {414, 431, 501, 505}


def ignores_empty_lines(raw: bytes, found: Difference) -> bool:
    first = found.ours is not None and not found.we_refuse
    return first and bool(found.they_refuse) and re.match(rb"\r\n", raw) is not None


def answers_last_request(_raw: bytes, found: Difference) -> bool:
    ours = found.ours
    is_last = ours is not None and (b"connection", b"close") in ours.headers
    return is_last and not found.we_refuse and bool(found.they_refuse)


def refuses_asterisk(raw: bytes, found: Difference) -> bool:
    return found.we_refuse == 400 and re.search(rb"[A-Z] \*", raw) is not None


def refuses_no_host(raw: bytes, found: Difference) -> bool:
    values = re.findall(rb"(?im)^host:[ \t]*(.+?)[ \t]*\r?$|https?://([^/?# \r]*)", raw)
    named = (one or other for one, other in values)
    return found.we_refuse == 400 and not all(map(PLAIN_HOST.fullmatch, named))


def refuses_coding_in_1_0(raw: bytes, found: Difference) -> bool:
    marks = b"HTTP/1.0", b"transfer-encoding"
    return found.we_refuse == 400 and all(mark.lower() in raw.lower() for mark in marks)


def refuses_old_version(raw: bytes, found: Difference) -> bool:
    return found.we_refuse == 505 and b"HTTP/0.9" in raw


def has_limits(_raw: bytes, found: Difference) -> bool:
    return found.we_refuse in {413, 414, 431} and not found.they_refuse


REASONS = (
    Reason(
        "A client that has not waited for 100 Continue, or has no body to send, gets no 100 "
        "Continue (RFC 9110, 10.1.1 allows both).",
        frozenset({"continue, body at once", "continue, no body"}),
        omits_continue,
    ),
    Reason(
        "The head of a response waits for its body, so one that turns out to be shorter than "
        "it says is a 500 and not a torn one.",
        frozenset(
            {
                *("response /short", "response /short, close", "response /short, 1.0"),
                "response /short and pipelined",
            }
        ),
        holds_short_response_back,
    ),
    Reason(
        "There are no WebSockets here: an upgrade is ignored, as a server may (RFC 9110, 7.8), and "
        "the request served. The peers ask the application, which fails.",
        frozenset({"lines, upgrade, websocket"}),
        ignores_websocket,
    ),
    Reason(
        "The first thing that is wrong with a request gets the most precise status, where "
        "the peers send a 400.",
        frozenset({"method unknown, and no host", "version unknown, and no colon"}),
        says_it_precisely,
    ),
    Reason(
        "An empty line before a request is ignored, as it should be (RFC 9112, 2.2). h11 refuses "
        "it; uvicorn refuses the nonsense behind the request before it serves the request.",
        frozenset({"empty line first, nonsense last"}),
        ignores_empty_lines,
    ),
    Reason(
        "What comes after the last request of a connection is not looked at (RFC 9112, 9.6), and "
        "so does not keep that from its response.",
        frozenset({"1.0, and nonsense"}),
        answers_last_request,
    ),
    Reason(
        "The target * is one of OPTIONS only (RFC 9112, 3.2.4).",
        frozenset({"target *, not of options"}),
        refuses_asterisk,
    ),
    Reason(
        "A Host that names no host is refused, as it must be (RFC 9112, 3.2). "
        "The peers do not look at it.",
        frozenset(
            {
                *("host with a space", "host with a slash", "host with userinfo"),
                *("host with a port that is none", "host with a port too large"),
                *("host, only a port", "host, a list", "host, a URL", "host, high bytes"),
                *("host, half an address", "host, an address that is none"),
            }
        ),
        refuses_no_host,
    ),
    Reason(
        "A transfer coding in HTTP/1.0 is faulty framing (RFC 9112, 6.1): refused, as a proxy "
        "in front may have read it otherwise.",
        frozenset({"coding in 1.0"}),
        refuses_coding_in_1_0,
    ),
    Reason(
        "HTTP/0.9 has no such request line: only 1.1 and 1.0 are spoken.",
        frozenset({"0.9 by name"}),
        refuses_old_version,
    ),
    Reason(
        "The shop's limits are narrower than its peers': 100 fields, 32 KiB of head, 8 KiB of "
        "target, 64 KiB of body.",
        frozenset(
            {
                *("101 fields", "head over 32 KiB", "target over 8 KiB"),
                *("body over 64 KiB", "body over 64 KiB, chunked"),
            }
        ),
        has_limits,
    ),
)
