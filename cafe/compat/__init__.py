"""Clients of five older systems: their calls, answered by our departments.

Rule: one thin module a system, which turns its HTTP into our messages and our answers into its
HTTP. No state, and no rule: roles, prices, limits, races and errors are the departments'.
"""
