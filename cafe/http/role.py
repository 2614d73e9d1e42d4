"""The roles of accounts, for routes and commands.

Rule: pure. Commands list the roles in their help, which imports no web framework.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """The role of an account, which decides what it may do."""

    CUSTOMER = "customer"
    BARISTA = "barista"
    COURIER = "courier"
    MANAGER = "manager"
