"""Starting the shop and failing to; tests/cafe/cli/test_serve.py has all else that may be wrong."""

from __future__ import annotations

import socket
from subprocess import CompletedProcess

import pytest
import trio

from tests.cafe.ledger.postgres import PostgresServer
from tests.system.shop import COMMAND, FREE_PORTS, TIMEOUT, environment


async def run_to_its_end(*options: str, **settings: object) -> CompletedProcess[bytes]:
    with trio.fail_after(TIMEOUT):
        return await trio.run_process(
            [*COMMAND, *FREE_PORTS, *options],
            env=environment(settings),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )


async def test_a_port_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = await run_to_its_end("--worker-bind", address)
    assert ended.stderr.decode() == f"cafe: Cannot listen on {address}: Address already in use.\n"
    assert (ended.returncode, ended.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("login", "database", "said"),
    [
        ("guarded:wr0ng-word", "postgres", 'password authentication failed for user "guarded"'),
        ("guarded", "postgres", "no password supplied"),
        ("nobody:wr0ng-word", "postgres", 'role "nobody" does not exist'),
        ("cafe", "nowhere", 'database "nowhere" does not exist'),
    ],
)
async def test_a_server_that_does_not_let_the_shop_in_is_one_line_that_says_what_to_check(
    postgresql_server: PostgresServer, login: str, database: str, said: str
) -> None:
    url = postgresql_server.url(database, login)
    ended = await run_to_its_end(database_url=url)
    assert (ended.returncode, ended.stdout) == (2, b"")
    (line,) = ended.stderr.decode().splitlines()
    assert line.startswith("cafe: The database refuses the login: ")
    assert said in line
    assert line.endswith(" Check the user, the password and the database's name in its URL.")
    assert "wr0ng" not in line
