"""The messages of the Couriers actor, and their answers.

Rule: frozen values only.
"""

from __future__ import annotations

from cafe.delivery.coverage import Coverage as Coverage  # noqa: PLC0414 - for other departments
from cafe.delivery.coverage import District as District  # noqa: PLC0414 - as above
