"""What other departments see of the menu.

Rule: frozen values only, and the board that shows the committed menu.
"""

from __future__ import annotations

from cafe.menu.product import Board as Board  # noqa: PLC0414 - exported for other departments
from cafe.menu.product import Menu as Menu  # noqa: PLC0414 - as above
from cafe.menu.product import Product as Product  # noqa: PLC0414 - as above
from cafe.menu.product import Variation as Variation  # noqa: PLC0414 - as above
