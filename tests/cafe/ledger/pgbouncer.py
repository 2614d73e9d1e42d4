"""PgBouncer before the tests' own server, from Debian's package, in the server's folder.

Rule: as for the server. Others cannot reach it, and it is removed afterwards.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager

from tests.cafe.ledger.postgres import PostgresServer

PORT = 6432
CONFIGURATION = """
[databases]
* = host={folder} user=cafe
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = {mode}
default_pool_size = 5
server_round_robin = {round_robin}
"""


def program() -> str | None:
    """Find PgBouncer on PATH, or where Debian puts it."""
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@contextmanager
def running_pooler(
    server: PostgresServer, mode: str, *, round_robin: bool = False
) -> Generator[None]:
    """Run a pooler; its URLs are the server's with `&port=` and PORT."""
    found = program()
    assert found is not None
    file = server.folder / "pgbouncer.ini"
    values = {"folder": server.folder, "port": PORT, "mode": mode, "round_robin": int(round_robin)}
    file.write_text(CONFIGURATION.format(**values))
    with server.spawn(found, str(file)) as process:
        try:
            assert process.stderr is not None
            said = iter(process.stderr.readline, "")
            assert any("process up" in line for line in said)
            yield
        finally:
            process.kill()
