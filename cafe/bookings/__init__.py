"""Bookings: tables, requests for them, and managers' decisions, owned by Bookings."""
