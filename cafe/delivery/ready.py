"""What an event of an order says of its delivery.

Rule: pure; it reads the JSON that orders give with each event of an order with a destination.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from cafe.delivery.delivery import READY, Delivery
