"""The roles of accounts, as routes and commands name them.

Rule: pure. Commands offer the roles in their help, which imports no web framework.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What an account may do."""

    CUSTOMER = "customer"
    BARISTA = "barista"
    COURIER = "courier"
    MANAGER = "manager"
