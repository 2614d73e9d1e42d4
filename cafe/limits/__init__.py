"""The limits department: who may ask how often, and who is cut off.

Empty on purpose: import the module you need (`address`, `rate_limiter`, ...), so that reading
an address does not load an actor.
"""
