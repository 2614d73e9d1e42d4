"""What an address may do: how often it may ask and connect, and when it is banned.

Empty on purpose: import the module that you need (`address`, `rate_limiter`, ...), so that reading
an address does not load an actor.
"""
