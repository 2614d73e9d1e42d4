"""The APIs of five older systems for their clients, answered by our departments.

Rule: one thin module per system, which translates its HTTP into our messages and our answers into
its HTTP. It has no state and decides nothing: roles, prices, limits, races and errors are the
departments'.
"""
