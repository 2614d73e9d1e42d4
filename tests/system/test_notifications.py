"""Notifications of the real shop, to a receiver on a real socket."""

from __future__ import annotations

import signal

import pytest
import trio
from standardwebhooks import Webhook as Verifier

from cafe.notifications.notification import Notification, State, Topic
from cafe.notifications.webhook import open_webhook
from tests.cafe.notifications.receiver import (
    Call,
    Respond,
    answering,
    dripping,
    hanging_up,
    open_receiver,
    stalling,
    talking_nonsense,
)
from tests.system.notifying import ALL, SECRET, brew, open_notified, place, staff
from tests.system.until import until

pytestmark = pytest.mark.once

ONE = Notification(
    "evt_7_0123456789ab", 7, Topic.ORDER, "o1", 1, "{}", "ready", 1.0, State.DUE, due_at=0.0
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of an empty ledger."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path_factory.mktemp('ledger')}/cafe.db"


async def test_each_change_is_told_in_its_order_signed_and_nothing_secret_is_logged(
    url: str,
) -> None:
    async with open_receiver() as receiver:
        receiver.answer = lambda _call: answering(200, body=b"s3cret of the receiver")
        with open_notified(receiver, url) as shop:
            async with staff(shop) as client:
                ids = [await place(client) for _ in range(3)]
                for _ in ids:
                    await brew(client)
                await until(lambda: len(receiver.calls) == 9)
                metrics = (await client.get("/metrics")).text
            await until(lambda: len(shop.log.lines("attempt", outcome="200")) == 9)
            text = shop.log.text
        for order_id in ids:
            assert receiver.statuses(order_id) == ALL
        for call in receiver.calls:
            assert Verifier(SECRET).verify(call.body, call.headers) == call.content
            assert call.headers["webhook-id"] == call.content["event_id"]
        assert 'cafe_notifications{state="due"}' in metrics
        for secret in (SECRET.removeprefix("whsec_"), "s3cret", "t0ken", "/hook"):
            assert secret not in text


async def test_a_receiver_that_fails_holds_no_order_up_and_no_other_order(url: str) -> None:
    async with open_receiver() as receiver:
        elsewhere = receiver.url.replace("/hook", "/elsewhere")
        bad = [
            answering(302, f"Location: {elsewhere}"),
            stalling,
            hanging_up,
            talking_nonsense,
            answering(500),
        ]
        answers: dict[str, Respond] = {}

        def answer(call: Call) -> Respond:
            order_id = call.content["order_id"]
            if order_id not in answers:
                answers[order_id] = bad.pop(0) if bad else answering(204, body=b"")
            return answers[order_id]

        receiver.answer = answer
        with open_notified(receiver, url) as shop:
            async with staff(shop) as client:
                ids = [await place(client) for _ in range(5)]
                await until(lambda: len(answers) == 5)
                ids += [await place(client) for _ in range(3)]
                for _ in ids:
                    await brew(client)
                await until(lambda: all(receiver.statuses(one) == ALL for one in ids[5:]))
                for outcome in ("302", "broken", "500"):
                    await shop.log.line("attempt", outcome=outcome, state="retrying")
        assert {call.path.partition("?")[0] for call in receiver.calls} == {"/hook"}
        assert all(receiver.statuses(one) == ["waiting"] for one in ids[:5])


async def test_after_a_kill_it_goes_on_where_it_was_under_the_same_ids(url: str) -> None:
    async with open_receiver() as receiver:
        receiver.answer = lambda _call: stalling
        with open_notified(receiver, url, -signal.SIGKILL) as shop:
            async with staff(shop) as client:
                ids = [await place(client) for _ in range(2)]
                for _ in ids:
                    await brew(client)
            await until(lambda: len(receiver.calls) == 2)
            shop.process.kill()
        receiver.answer = lambda _call: answering(204, body=b"")
        with open_notified(receiver, url):
            await until(lambda: len(receiver.calls) == 8)
        assert receiver.statuses(ids[0]) == receiver.statuses(ids[1]) == ALL
        sent = [call.headers["webhook-id"] for call in receiver.calls]
        assert (len(set(sent)), set(sent[:2]) <= set(sent[2:])) == (6, True)


async def test_a_receiver_that_is_away_is_told_when_it_is_back(url: str) -> None:
    async with open_receiver() as receiver:
        pass
    port = int(receiver.url.split(":")[2].split("/")[0])
    with open_notified(receiver, url) as shop:
        async with staff(shop) as client:
            order_id = await place(client)
            await brew(client)
        await shop.log.line("attempt", outcome="unreachable")
        async with open_receiver(port) as receiver:
            await until(lambda: receiver.statuses(order_id) == ALL)


@pytest.mark.parametrize("respond", [stalling, dripping])
async def test_an_answer_that_is_not_whole_in_time_does_not_count(respond: Respond) -> None:
    async with (
        open_receiver() as receiver,
        open_webhook(receiver.url, None, seconds=0.5) as webhook,
    ):
        receiver.answer = lambda _call: respond
        began = trio.current_time()
        assert await webhook.send(ONE) == "time-out"
        assert 0.4 < trio.current_time() - began < 5
        receiver.answer = lambda _call: answering(200)
        assert await webhook.send(ONE) == "200"


async def test_a_long_body_is_not_read_to_its_end() -> None:
    async def pour(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 65_536)

    async with open_receiver() as receiver, open_webhook(receiver.url, None) as webhook:
        receiver.answer = lambda _call: pour
        with trio.fail_after(10):
            assert await webhook.send(ONE) == "200"
