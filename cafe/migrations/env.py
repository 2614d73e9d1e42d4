"""What alembic runs to migrate: on the caller's connection, and in the caller's transaction.

Rule: no settings of its own. So a migration is all or nothing on SQLite as well, and it happens
under the lock of the one owner.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
