"""The header fields of a 429: when to come back, and which limit was hit.

One rule: pure. The fields are those of draft-ietf-httpapi-ratelimit-headers-11, and `Retry-After`
of RFC 9110, section 10.2.3; both know whole seconds only, so nobody is told to come too early.
"""

from math import ceil

Fields = tuple[tuple[bytes, bytes], ...]


def limit_headers(policy: str, *, quota: int, window_seconds: float, retry_after: float) -> Fields:
    """Return `Retry-After`, `RateLimit-Policy` and `RateLimit` for a policy with nothing left.

    A policy without a window, `window_seconds` of 0, is a cap on what is under way at one time.
    """
    seconds = _whole(retry_after)
    extent = f";w={_whole(window_seconds)}" if window_seconds else ';qu="concurrent-requests"'
    return (
        (b"retry-after", b"%d" % seconds),
        (b"ratelimit-policy", f'"{policy}";q={quota}{extent}'.encode()),
        (b"ratelimit", f'"{policy}";r=0;t={seconds}'.encode()),
    )


def _whole(seconds: float) -> int:
    return max(1, ceil(seconds))
