"""How far the log may be ahead of the machine's clock.

Rule: positions tell the order of events, times only when they happened.
"""

MOST_AHEAD = 300.0
"""Seconds that the last event may be ahead of the machine's clock, before it is taken for wrong."""
