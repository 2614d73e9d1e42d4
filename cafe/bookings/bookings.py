"""Bookings: the actor that owns tables, requests for them, and what managers decided."""

from __future__ import annotations

from actors import Actor


class Bookings(Actor):
    """Owns tables and bookings."""
