"""What connections share: default headers, error responses, and a log that is not flooded."""

from __future__ import annotations

from email.utils import formatdate

import pytest
import structlog
import trio
import trio.testing
from starlette.types import Receive, Scope, Send

from cafe.limits.admission import Admission
from cafe.server.config import ServerConfig
from cafe.server.context import ServerContext, Throttle
from cafe.server.deadlines import Deadlines
from tests.cafe.server.memory_door import MemoryTransport, open_memory_door
from tests.cafe.server.test_response import DEFAULTS, HEAD, read
from tests.cafe.server.test_response import GET as GET_HEAD
from tests.system.raw_client import GET
from tests.system.tiny_server import PROBLEMS, answer


async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Answer nothing."""


def context(*, date: bool = True, server: bool = True) -> ServerContext:
    config = ServerConfig()
    config.include_date_header = date
    config.include_server_header = server
    admission = Admission(None, 1, now=lambda: 0.0)
    return ServerContext(app, config, admission, PROBLEMS, Deadlines())


@pytest.mark.parametrize("date", [True, False])
@pytest.mark.parametrize("server", [True, False])
def test_a_response_has_the_default_headers_that_are_configured(
    *, date: bool, server: bool
) -> None:
    names = set(context(date=date, server=server).default_headers())
    assert names == {name for name, said in [(b"date", date), (b"server", server)] if said}


def test_default_headers_are_rebuilt_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 784111777.0  # the example of RFC 9110, 5.6.7
    monkeypatch.setattr("cafe.server.context.time", lambda: seconds)
    ours = context()
    first = ours.default_headers()
    assert first[b"date"] == b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    assert ours.default_headers() is first
    seconds += 1
    assert ours.default_headers()[b"date"] == b"date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"
    assert (
        first[b"date"] == b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    )  # an answer may still hold it


def test_a_problem_is_a_whole_response_and_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = context()
    monkeypatch.setattr(ours, "default_headers", lambda: DEFAULTS)
    written = ours.write_problem(GET_HEAD, {"state": {"request_id": "17"}}, 431, "Too much.")
    head, body = read(GET_HEAD, written, closed=True)
    headers = dict(head.headers)
    assert head.status_code == 431
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"cache-control"] == b"no-store"
    assert (headers[b"connection"], headers[b"x-request-id"]) == (b"close", b"17")
    assert b'"detail":"Too much."' in body
    assert read(HEAD, ours.write_problem(HEAD, {}, 400, ""), closed=True)[1] == b""


async def test_failures_are_logged_but_not_too_often() -> None:
    ours = context()
    with structlog.testing.capture_logs() as logs:
        for number in range(100):
            ours.log_failure("connection isolated", number=number)
    assert [log["number"] for log in logs] == list(range(10))


async def test_an_error_while_logging_a_failure_is_suppressed() -> None:
    def full(*_: object) -> structlog.typing.EventDict:
        raise OSError("no space left on the device")

    with structlog.testing.capture_logs(processors=[full]):
        context().log_failure("connection isolated")


def test_a_burst_passes_and_the_rest_of_the_period_is_counted() -> None:
    now = 100.0
    throttle = Throttle(burst=2, seconds=10, now=lambda: now)
    assert [throttle.passes() for _ in range(5)] == [True, True, False, False, False]
    assert throttle.take_suppressed() == 3
    assert throttle.take_suppressed() == 0
    now = 110.0
    assert [throttle.passes() for _ in range(3)] == [True, True, False]


class Eager(MemoryTransport):
    """Has a request before anything has waited for it."""

    def receive_nowait(self) -> bytes:
        return GET


@pytest.mark.schedules(5)
async def test_a_connection_dropped_before_its_first_step_calls_no_application() -> None:
    called: list[str] = []

    async def note(scope: Scope, _receive: Receive, _send: Send) -> None:
        called.append(scope["path"])

    async with open_memory_door(note) as door:
        mine, its = trio.testing.memory_stream_pair()
        connection = door.let_in(Eager(its))
        connection.drop()
        await connection.run()
        assert called == []
        assert await mine.receive_some() == b""


@pytest.mark.schedules(1)
async def test_a_response_has_the_date_at_which_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cafe.server.context.time", trio.current_time)

    async def brew(_scope: Scope, _receive: Receive, send: Send) -> None:
        await trio.sleep(900)
        await answer(send, b"coffee")

    async with open_memory_door(brew) as door:
        given = await door.visit().ask(GET)
        assert given.headers[b"date"] == formatdate(trio.current_time(), usegmt=True).encode()
