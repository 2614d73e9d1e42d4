"""A PostgreSQL server of the tests' own, from Debian's package, in a temporary folder.

Rule: others cannot reach it (a Unix socket in that folder, no port); it is removed afterwards, all
of its databases at once: to drop each takes the server a checkpoint.
PostgreSQL refuses to run as root, so root runs it as the package's user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
import pytest

CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 20
shared_buffers = 16MB
fsync = off  # these tests kill processes, not machines
full_page_writes = off
autovacuum = off
jit = off
"""
# The role `guarded` needs the password; all others are let in.
DOOR = """
local all guarded scram-sha-256
local all all trust
local replication all trust
"""
MEMORY, ROOM = "/dev/shm", 4 * 2**30  # noqa: S108 - its name on Linux
PASSWORD = "s3cret-of-the-bar"


def programs() -> Path | None:
    """Find the newest server there is, on PATH or where Debian puts it."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: float(path.parts[-3]), default=None)
    return None if newest is None else newest.parent


def why_not() -> str | None:
    """Return why no server can be started here; None where one can."""
    if programs() is None:
        return missing("no PostgreSQL server here (on Debian: apt install postgresql)")
    if os.geteuid() == 0 and _unprivileged() is None:
        return missing("PostgreSQL refuses to run as root, and there is no user postgres")
    return None


def missing(reason: str) -> str:
    """Return the reason, for a test to be skipped; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"In CI nothing is skipped: {reason}")
    return reason


def _unprivileged() -> pwd.struct_passwd | None:
    with suppress(KeyError):
        return pwd.getpwnam("postgres")
    return None


class PostgresServer:
    """Started and stopped at will; makes databases with and without the ledger's tables."""

    def __init__(self, folder: Path, primary: PostgresServer | None = None) -> None:
        """Make a new server in the folder, or a replica of `primary`, which runs."""
        self.folder = folder
        self.reached = f"host={folder}"
        """Where, as the query of a URL."""
        self._data = folder / "data"
        self._numbers = count(1)
        if primary is None:
            self._run("initdb", "--no-sync", "--username=cafe", "--auth=trust", "--encoding=UTF8")
        else:
            copy = ("--checkpoint=fast", "--no-sync", "--write-recovery-conf")
            source = (f"--host={primary.folder}", "--username=cafe", f"--pgdata={self._data}")
            self._run("pg_basebackup", *source, *copy)
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION.format(folder=folder))
        (self._data / "pg_hba.conf").write_text(DOOR)

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return (self._data / "postmaster.pid").exists()

    def start(self) -> None:
        """Start, and return when it answers."""
        self._run("pg_ctl", "start", "--wait", "--silent", f"--log={self.folder / 'log'}")

    def stop(self, mode: str = "fast") -> None:
        """Disconnect all clients and stop; `immediate` is a crash."""
        self._run("pg_ctl", "stop", "--wait", "--silent", f"--mode={mode}")

    def promote(self) -> None:
        """Make a primary of a replica."""
        self._run("pg_ctl", "promote", "--wait", "--silent")

    @contextmanager
    def frozen(self) -> Generator[None]:
        """Freeze the server: the kernel still accepts connections, and nothing answers."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)  # first: it starts no session then
        sessions = children_of(pid)
        signal_all(sessions, signal.SIGSTOP)
        try:
            yield
        finally:
            signal_all([pid, *sessions], signal.SIGCONT)

    def new_database(self, template: str = "template1", options: str = "") -> str:
        """Make a database as a copy of `template`, and give its name."""
        name = f"cafe_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} {options}")
        return name

    def url(self, database: str, login: str = "cafe") -> str:
        """Return the URL of a database of this server."""
        return f"postgresql+psycopg://{login}@/{database}?{self.reached}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser, and give the rows where there are any."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def connect(self, database: str) -> Generator[psycopg.Connection[tuple[Any, ...]]]:
        """Connect as the superuser; each statement is a transaction."""
        connection = psycopg.connect(
            host=str(self.folder), dbname=database, user="cafe", autocommit=True
        )
        with connection:
            yield connection

    def spawn(self, *command: str) -> subprocess.Popen[str]:
        """Start a program as the server's user, and give it with a pipe to what it says."""
        user = _unprivileged() if os.geteuid() == 0 else None
        return subprocess.Popen(
            command,
            cwd=self.folder,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder is not None
        user = _unprivileged() if os.geteuid() == 0 else None
        subprocess.run(
            [folder / program, *arguments],
            env={"PGDATA": str(self._data), "LC_ALL": "C"},
            cwd=self.folder,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )


def signal_all(pids: Iterable[int], signum: signal.Signals) -> None:
    """Send a signal to processes; those that have ended do not matter."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def children_of(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    children: list[int] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            # After the name, which may have any characters in it.
            fields = file.read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[1]) == parent:
                children.append(int(file.parent.name))
    return children


def in_memory() -> str | None:
    """Return a folder in memory that has room, where there is one: its files are removed at once.

    A hundred databases are a gigabyte; on a disk it takes up to a minute and a half to remove them.
    """
    with suppress(OSError):
        if shutil.disk_usage(MEMORY).free > ROOM and os.access(MEMORY, os.W_OK):
            return MEMORY
    return None


@contextmanager
def running_server() -> Generator[PostgresServer]:
    """Run a server with a role `guarded`, whose password is PASSWORD."""
    with _folder() as folder:
        server = PostgresServer(folder)
        server.start()
        try:
            server.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
            yield server
        finally:
            if server.is_running:
                server.stop("immediate")


@contextmanager
def running_replica(primary: PostgresServer) -> Generator[PostgresServer]:
    """Run a replica that has each commit of `primary` before that is acknowledged.

    From then on the URLs of the primary name both, and lead to the one that can be written.
    """
    with _folder() as folder:
        replica = PostgresServer(folder, primary)
        replica.start()
        try:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.execute("SELECT pg_reload_conf()")
            primary.reached = f"host={primary.folder},{folder}&target_session_attrs=read-write"
            yield replica
        finally:
            replica.stop("immediate")


@contextmanager
def _folder() -> Generator[Path]:
    """Yield a folder of the server's user; not pytest's, which only its own user may enter."""
    folder = Path(mkdtemp(prefix="cafe-postgres-", dir=in_memory()))
    try:
        if os.geteuid() == 0:
            user = _unprivileged()
            assert user is not None
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder)
