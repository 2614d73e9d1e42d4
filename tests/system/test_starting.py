"""Starting the shop and failing to; tests/cafe/cli/test_serve.py has all else that may be wrong."""

from __future__ import annotations

import socket

import trio

from tests.system.shop import COMMAND, FREE_PORTS, PATIENCE, environment


async def test_a_port_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, trio.fail_after(PATIENCE):
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = await trio.run_process(
            [*COMMAND, *FREE_PORTS, "--worker-bind", address],
            env=environment({}),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    assert ended.stderr.decode() == f"cafe: Cannot listen on {address}: Address already in use.\n"
    assert (ended.returncode, ended.stdout) == (2, b"")
