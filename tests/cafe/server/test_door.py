"""What connections share: headers that are made once a second, and a log that is not flooded."""

from __future__ import annotations

from email.utils import formatdate

import pytest
import structlog
import trio
import trio.testing
from starlette.types import Receive, Scope, Send

from cafe.limits.admission import Admission
from cafe.server.config import DoorConfig
from cafe.server.deadlines import Deadlines
from cafe.server.door import Door
from tests.cafe.server.memory_door import MemoryTransport, open_memory_door
from tests.system.door import GET, answer


async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Answer nothing."""


def door(*, date: bool = True, server: bool = True) -> Door:
    config = DoorConfig()
    config.include_date_header = date
    config.include_server_header = server
    return Door(app, config, Admission(None, 1, now=lambda: 0.0), {"a": 1}, Deadlines())


@pytest.mark.parametrize("date", [True, False])
@pytest.mark.parametrize("server", [True, False])
def test_an_answer_has_the_headers_that_the_configuration_says(*, date: bool, server: bool) -> None:
    names = set(door(date=date, server=server).headers())
    assert names == {name for name, said in [(b"date", date), (b"server", server)] if said}


def test_headers_are_made_anew_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 784111777.0  # the example of RFC 9110, 5.6.7
    monkeypatch.setattr("cafe.server.door.time", lambda: seconds)
    ours = door()
    first = ours.headers()
    assert first[b"date"] == b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    assert ours.headers() is first
    seconds += 1
    assert ours.headers()[b"date"] == b"date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"
    assert (
        first[b"date"] == b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    )  # an answer may still hold it


def test_the_lifespans_state_is_copied() -> None:
    state = {"a": 1}
    ours = Door(app, DoorConfig(), Admission(None, 1, now=lambda: 0.0), state, Deadlines())
    state["a"] = 2
    assert ours.state == {"a": 1}


async def test_it_tells_of_failures_but_not_too_often() -> None:
    ours = door()
    with structlog.testing.capture_logs() as logs:
        for number in range(100):
            ours.tell("connection isolated", number=number)
    assert [log["number"] for log in logs] == list(range(10))


async def test_a_log_that_fails_does_not_fail_who_tells() -> None:
    def full(*_: object) -> structlog.typing.EventDict:
        raise OSError("no space left on the device")

    with structlog.testing.capture_logs(processors=[full]):
        door().tell("connection isolated")


class Eager(MemoryTransport):
    """Carries a request that is there before anybody has waited for it."""

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
async def test_an_answer_bears_the_date_on_which_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cafe.server.door.time", trio.current_time)

    async def brew(_scope: Scope, _receive: Receive, send: Send) -> None:
        await trio.sleep(900)
        await answer(send, b"coffee")

    async with open_memory_door(brew) as door:
        given = await door.visit().ask(GET)
        assert given.headers[b"date"] == formatdate(trio.current_time(), usegmt=True).encode()
