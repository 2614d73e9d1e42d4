"""Every department of the house, for those who look into its database.

Rule: one line each. Importing this makes all of their tables known.
"""

from __future__ import annotations

from typing import Any, Final

from cafe.ledger.department import Department
from cafe.orders.department import ORDERS

DEPARTMENTS: Final[tuple[Department[Any], ...]] = (ORDERS,)
