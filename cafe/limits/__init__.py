"""Limits per address: on requests and connections, and bans.

Empty on purpose: import the module that you need (`address`, `rate_limiter`, ...), so that parsing
an address does not load an actor.
"""
