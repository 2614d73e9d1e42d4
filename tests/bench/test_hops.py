"""The client of the benchmark of hops."""

from __future__ import annotations

import socket

import pytest
import trio

from bench.hops import ask
from bench.processes import BenchmarkError


async def test_an_answer_without_a_length_is_named_in_the_error() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream:
            theirs.sendall(b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n")
            with pytest.raises(BenchmarkError, match=r"was answered with HTTP/1\.1 500"):
                await ask(stream, "GET", "/queue")
