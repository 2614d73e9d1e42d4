"""Helpers for the tests of actors."""

from actors.testing.schedules import schedules

__all__ = ["schedules"]
