"""Content negotiation (RFC 9110, section 12.5.1), as far as two media types need it.

Rule: whoever has no preference gets the default.
"""

from __future__ import annotations

import re

WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def prefers(accept: str, media_type: str, over: str) -> bool:
    """Tell whether an Accept field ranks `media_type` above `over`, the default."""
    return quality(accept, media_type) > quality(accept, over)


def quality(accept: str, media_type: str) -> float:
    """Give the weight of a media type, from 0 (not wanted) to 1, by its most specific range.

    Parameters of the media type itself are not looked at; a range with a bad weight weighs nothing.
    """
    weights = dict(map(weighed, accept.lower().split(",")))
    for media_range in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if media_range in weights:
            return weights[media_range]
    return 0.0


def weighed(part: str) -> tuple[str, float]:
    """Take one range with its parameters apart, as in "text/*;q=0.5"."""
    media_range, *parameters = (one.strip() for one in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            found = WEIGHT.fullmatch(parameter)
            return media_range, 0.0 if found is None else float(found[1])
    return media_range, 1.0
