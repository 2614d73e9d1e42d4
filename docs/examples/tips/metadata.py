"""Where an example's tables are, so that they are not the café's.

In the café a department's tables stand beside all others, in `cafe.ledger.tables.metadata`.
"""

from __future__ import annotations

from sqlalchemy import MetaData

from cafe.ledger.tables import metadata as of_the_cafe

metadata = MetaData(naming_convention=of_the_cafe.naming_convention)
