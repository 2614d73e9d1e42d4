"""A socket as a stream: on real pairs of sockets, for only the kernel can tell what it does."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress

import pytest
import trio
import trio.testing

from cafe.server.disconnects import watching_disconnects
from cafe.server.socket_stream import PIECE, EagerStream, own_address, reset
from tests.cafe.server.memory_door import MemoryTransport

TIMEOUT = 10.0
MUCH = bytes(2**22)
"""More than any buffer of a socket here takes."""


class Polite(EagerStream):
    """An EagerStream that gives others their turn, as trio's own checks want it.

    Besides, `receive_some(0)` is no mistake in an EagerStream. Nor could it pass the checks of
    half-closing: it leaves it to its user to send nothing beside `send_eof` and after it.
    """

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        if max_bytes == 0:
            raise ValueError("max_bytes must be at least 1")
        return await super().receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        await super().send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()
        await super().wait_send_all_might_not_block()


async def polite_pair() -> tuple[Polite, Polite]:
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    return Polite(one, TIMEOUT), Polite(other, TIMEOUT)


async def clogged_pair() -> tuple[Polite, Polite]:
    """Return a pair of which neither can send anything more."""
    pair = await polite_pair()
    for stream in pair:
        with suppress(BlockingIOError):
            while True:
                socket_of(stream).send(MUCH)
    return pair


def socket_of(stream: EagerStream) -> socket.socket:
    return stream._socket  # pyright: ignore[reportPrivateUsage] - nobody else needs it


async def test_except_for_checkpoints_it_is_a_stream_as_trio_defines_it() -> None:
    await trio.testing.check_two_way_stream(polite_pair, clogged_pair)


@contextmanager
def pair(send_timeout: float = TIMEOUT) -> Generator[tuple[EagerStream, socket.socket]]:
    """Yield our end of a TCP connection, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    client.settimeout(TIMEOUT)
    with client, ours:
        yield EagerStream(ours, send_timeout), client


async def test_receiving_and_sending_at_once_take_no_checkpoint() -> None:
    with pair() as (stream, client):
        client.sendall(b"latte")
        await trio.lowlevel.wait_readable(socket_of(stream))
        with trio.testing.assert_no_checkpoints():
            assert await stream.receive_some(3) == b"lat"
            assert await stream.receive_some() == b"te"
            await stream.send_all(b"thanks")
        assert client.recv(100) == b"thanks"


async def test_it_receives_a_piece_at_most() -> None:
    with pair() as (stream, client), trio.fail_after(TIMEOUT):
        client.sendall(bytes(3 * PIECE))
        received = 0
        while received < 3 * PIECE:
            piece = await stream.receive_some()
            assert 0 < len(piece) <= PIECE
            received += len(piece)


async def test_a_send_to_a_client_that_takes_nothing_times_out() -> None:
    with pair(send_timeout=0.1) as (stream, _client):
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError, match=r"nothing was read for 0\.1 s"):
            await stream.send_all(MUCH)
        assert 0.1 <= trio.current_time() - began < TIMEOUT


async def test_a_client_that_takes_something_now_and_then_gets_everything() -> None:
    with pair(send_timeout=1.0) as (stream, client):
        received, waits = 0, 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, bytearray(MUCH))
            while received < len(MUCH):
                await trio.testing.wait_all_tasks_blocked()  # the sender, until something is taken
                received += len(client.recv(2**18))
                waits += 1
        assert received == len(MUCH)
        assert waits > 2


async def test_a_reset_breaks_the_stream_for_receiving_and_for_sending() -> None:
    with pair() as (stream, client):
        reset_client(client)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"late")
        await stream.send_eof()  # which nobody hears
        await stream.aclose()


async def test_a_closed_stream_raises_that_it_is_closed() -> None:
    with pair() as (stream, _client):
        await stream.aclose()
        await stream.aclose()
        stream.abort()
        assert stream.peer_has_closed()
        for use in (
            stream.receive_some(),
            stream.send_all(b""),
            stream.send_eof(),
            stream.wait_send_all_might_not_block(),
        ):
            with pytest.raises(trio.ClosedResourceError):
                await use


@pytest.mark.parametrize("end", ["abort", "aclose"])
async def test_closing_it_wakes_senders_and_receivers(end: str) -> None:
    async def use(stream: EagerStream, method: str) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await (stream.receive_some() if method == "receive" else stream.send_all(MUCH))
        woken.append(method)

    woken: list[str] = []
    with pair() as (stream, _client), trio.fail_after(TIMEOUT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(use, stream, "receive")
            nursery.start_soon(use, stream, "send")
            await trio.testing.wait_all_tasks_blocked()
            if end == "abort":
                stream.abort()
            else:
                await stream.aclose()
    assert sorted(woken) == ["receive", "send"]


async def test_an_abort_is_a_reset_to_the_client_and_a_close_is_an_end() -> None:
    with pair() as (stream, client):
        await stream.send_all(b"latte")
        await stream.aclose()
        assert client.recv(100) + client.recv(100) == b"latte"
    with pair() as (stream, client):
        stream.abort()
        with pytest.raises(ConnectionResetError):
            client.recv(100)


async def test_it_knows_that_the_client_has_left_without_reading_what_it_sent() -> None:
    with pair() as (stream, client), trio.fail_after(TIMEOUT):
        client.sendall(bytes(100))
        assert not stream.peer_has_closed()
        client.shutdown(socket.SHUT_WR)
        while not stream.peer_has_closed():  # noqa: ASYNC110 - the kernel has no event for this test
            await trio.sleep(0.001)
        assert await stream.receive_some() == bytes(100)
        assert await stream.receive_some() == b""


async def test_an_acknowledgement_is_told_apart_from_a_reset() -> None:
    with pair() as (stream, client):
        client.shutdown(socket.SHUT_WR)
        await stream.send_all(b"latte")  # which nobody reads: the peer's kernel has it
        assert await stream.is_acknowledged()
    with pair() as (stream, client):
        client.close()
        await stream.send_all(b"latte")
        assert not await stream.is_acknowledged()


async def test_an_acknowledgement_is_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def on_their_way(_sock: socket.socket) -> int:
        return answers.pop() if answers else 0

    answers = [1, 1, 1]
    # Loopback is too fast to see bytes on their way.
    monkeypatch.setattr("cafe.server.socket_stream.unacknowledged", on_their_way)
    with pair() as (stream, _client):
        assert await stream.is_acknowledged()
        assert answers == []
        answers[:] = [1] * 100
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.is_acknowledged)
            await trio.testing.wait_all_tasks_blocked()
            stream.abort()


async def test_in_memory_everything_is_acknowledged() -> None:
    assert await MemoryTransport(trio.testing.memory_stream_pair()[0]).is_acknowledged()


async def test_eof_is_sent_once_and_the_client_may_go_on() -> None:
    with pair() as (stream, client):
        await stream.send_eof()
        await stream.send_eof()
        assert client.recv(100) == b""
        client.sendall(b"more")
        assert await stream.receive_some() == b"more"


async def test_without_a_task_for_disconnects_nothing_is_watched() -> None:
    with pair() as (stream, _client):
        assert not stream.watch(lambda: None)
        stream.unwatch()
    transport = MemoryTransport(trio.testing.memory_stream_pair()[0])
    assert not transport.watch(lambda: None)
    transport.unwatch()
    with socket.socket() as sock:
        async with watching_disconnects() as disconnects:
            stream = EagerStream(sock, TIMEOUT, disconnects)
            await stream.aclose()
            assert not stream.watch(lambda: None)
            stream.unwatch()


def test_the_address_that_a_client_reached_is_its_sockets_own_if_it_is_still_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert own_address(listener) == ("127.0.0.1", listener.getsockname()[1])
    assert own_address(listener) is None


async def test_a_refused_client_gets_a_reset() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), TIMEOUT) as client,
    ):
        ours, _ = listener.accept()
        reset(ours)
        reset(ours)  # a closed one is not an error
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def reset_client(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
