"""One call of the receiver: the request, its signature, and which answers count."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx
import pytest
import trio
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from structlog.testing import capture_logs

from cafe.notifications.notification import Notification, State, Topic
from cafe.notifications.webhook import MOST_BODY, NoAnswer, Webhook, body_of, key_of
from docs.examples.verifying import is_genuine
from tests.cafe.notifications.post import PARTY

pytestmark = pytest.mark.schedules(2)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ONE = Notification(
    "evt_7_0123456789ab",
    7,
    Topic.ORDER,
    "o1",
    3,
    '{"number": 17}',
    "ready",
    1_773_480_474.789793,
    State.DUE,
    due_at=0.0,
)
BODY = {
    "event_id": "evt_7_0123456789ab",
    "sequence": 3,
    "order_id": "o1",
    "number": 17,
    "status": "ready",
    "occurred_at": "2026-03-14T09:27:54.789793Z",
}
Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Transport(httpx.AsyncBaseTransport):
    """Answers in place of a receiver, and keeps the requests."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return await self.answer(request)


class Body(httpx.AsyncByteStream):
    """A body in pieces, with a pause before each."""

    def __init__(self, pieces: Sequence[bytes], pause: float) -> None:
        self.pieces, self.pause = pieces, pause
        self.sent = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await trio.sleep(self.pause)
            self.sent += len(piece)
            yield piece

    async def aclose(self) -> None:
        self.closed = True


def answering(status: int, body: Body | None = None) -> Answer:
    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            status,
            headers={"location": "http://[bad", "set-cookie": "a=1"},
            stream=body or Body([], 0),
        )

    return answer


def raising(error: Exception) -> Answer:
    async def answer(_request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def webhook(
    transport: Transport, *, url: str = "http://r.example/hook", key: str | None = None
) -> Webhook:
    return Webhook(httpx.URL(url), None if key is None else key_of(key), transport)


def test_the_body_is_what_is_promised_and_the_same_at_each_attempt() -> None:
    assert json.loads(body_of(ONE)) == BODY
    assert list(json.loads(body_of(ONE))) == list(BODY)
    later = ONE._replace(attempts=3, failures=3, state=State.RETRYING, due_at=9.0)
    assert body_of(later) == body_of(ONE)


def test_the_body_of_a_request_for_a_table_has_the_booking_in_place_of_the_order() -> None:
    one = ONE._replace(
        topic=Topic.BOOKING,
        subject_id="b1",
        sequence=1,
        details=json.dumps(PARTY),
        status="requested",
    )
    assert json.loads(body_of(one)) == {
        "event_id": "evt_7_0123456789ab",
        "sequence": 1,
        "booking_id": "b1",
        "status": "requested",
        "occurred_at": "2026-03-14T09:27:54.789793Z",
        **PARTY,
    }


async def test_a_signed_call_is_verified_by_another_implementation_of_the_scheme() -> None:
    transport = Transport(answering(204))
    assert await webhook(transport, key=SECRET).send(ONE) == "204"
    (request,) = transport.requests
    verified = Verifier(SECRET).verify(request.content, dict(request.headers))
    assert verified == BODY
    other = "whsec_" + "A" * 32
    with pytest.raises(WebhookVerificationError):
        Verifier(other).verify(request.content, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(request.content + b" ", dict(request.headers))


async def test_the_receiver_of_the_docs_verifies_a_call_and_no_other() -> None:
    transport = Transport(answering(204))
    await webhook(transport, key=SECRET).send(ONE)
    (request,) = transport.requests
    headers, body = dict(request.headers), request.content
    sent_at = int(headers["webhook-timestamp"])
    assert is_genuine(SECRET, headers, body)
    assert is_genuine(
        SECRET, {**headers, "webhook-signature": f"v1,a {headers['webhook-signature']}"}, body
    )
    assert not is_genuine(SECRET, headers, body + b" ")
    assert not is_genuine("whsec_" + "A" * 32, headers, body)
    assert not is_genuine(SECRET, {**headers, "webhook-id": "evt_8"}, body)
    assert not is_genuine(SECRET, headers, body, now=sent_at + 301)
    assert not is_genuine(SECRET, {**headers, "webhook-timestamp": "soon"}, body)


async def test_the_id_is_the_same_at_each_attempt_and_the_time_is_that_of_the_machine() -> None:
    transport = Transport(answering(503))
    sender = Webhook(
        httpx.URL("http://r.example/"), None, transport, clock=iter([5.9, 9.0]).__next__
    )
    for _ in range(2):
        assert await sender.send(ONE) == "503"
    assert {one.headers["webhook-id"] for one in transport.requests} == {ONE.event_id}
    assert [one.headers["webhook-timestamp"] for one in transport.requests] == ["5", "9"]
    assert "webhook-signature" not in transport.requests[0].headers
    assert transport.requests[0].headers["content-type"] == "application/json"


async def test_a_user_in_the_url_is_sent_as_one_and_not_as_a_part_of_the_host() -> None:
    transport = Transport(answering(200))
    await webhook(transport, url="http://ada:p%40ss@r.example/hook?token=t").send(ONE)
    (request,) = transport.requests
    assert request.headers["authorization"] == "Basic YWRhOnBAc3M="
    assert (request.headers["host"], request.url.path) == ("r.example", "/hook")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_wherever_it_leads(status: int) -> None:
    transport = Transport(answering(status))
    assert await webhook(transport).send(ONE) == str(status)
    assert len(transport.requests) == 1


async def test_cookies_are_not_kept() -> None:
    transport = Transport(answering(200))
    sender = webhook(transport)
    for _ in range(2):
        await sender.send(ONE)
    assert "cookie" not in transport.requests[1].headers


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError("secret"), NoAnswer.UNREACHABLE),
        (httpx.ConnectTimeout("secret"), NoAnswer.TIME_OUT),
        (httpx.ReadError("secret"), NoAnswer.BROKEN),
        (httpx.WriteError("secret"), NoAnswer.BROKEN),
        (httpx.RemoteProtocolError("secret"), NoAnswer.BROKEN),
        (UnicodeError("secret"), NoAnswer.FAILED),
    ],
)
async def test_whatever_fails_the_outcome_is_a_word_and_the_log_has_no_text_of_others(
    error: Exception, outcome: NoAnswer
) -> None:
    with capture_logs() as logs:
        assert await webhook(Transport(raising(error))).send(ONE) == outcome
    assert "secret" not in str(logs)
    assert len(str(outcome)) <= 16


async def test_an_answer_that_does_not_come_is_a_time_out_after_fifteen_seconds() -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError

    began = trio.current_time()
    assert await webhook(Transport(never)).send(ONE) == NoAnswer.TIME_OUT
    assert trio.current_time() - began == pytest.approx(15)


async def test_an_answer_whose_body_drips_is_a_time_out_after_fifteen_seconds_in_all() -> None:
    body = Body([b"."] * 10_000, 1.0)
    began = trio.current_time()
    assert await webhook(Transport(answering(200, body))).send(ONE) == NoAnswer.TIME_OUT
    assert trio.current_time() - began == pytest.approx(15)
    assert body.closed


async def test_a_body_without_end_is_read_to_a_bound_and_dropped() -> None:
    body = Body([b"x" * 4_096] * 100_000, 0.001)
    assert await webhook(Transport(answering(200, body))).send(ONE) == "200"
    assert body.sent <= MOST_BODY + 4_096
    assert body.closed
