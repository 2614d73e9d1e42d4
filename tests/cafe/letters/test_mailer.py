"""What becomes of bookings' events: which letters there are, in which order, and how often."""

from __future__ import annotations

import pytest
import trio

from cafe.letters.letter import HOUR, State
from cafe.letters.refusals import LetterNotRetried, UnknownLetter
from tests.cafe.letters.mailroom import FakeServer, expected_in, open_mailroom, written_in, wrong_in
from tests.cafe.virtual_time import until

pytestmark = pytest.mark.schedules(3)


async def test_each_change_of_a_booking_is_told_once_and_in_order() -> None:
    async with open_mailroom() as room:
        await room.happen("b1", "request", "accept", "cancel")
        await room.happen("b2", "request", "decline")
        await room.happen("b3", "request", "expire")
        await room.happen("b4", "book")
        await until(lambda: len(room.server.taken) == 8)
        assert room.server.kinds("b1") == ["received", "accepted", "cancelled"]
        assert room.server.kinds("b2") == ["received", "declined"]
        assert room.server.kinds("b3") == ["received", "expired"]
        assert room.server.kinds("b4") == ["accepted"]
        assert len({one.message_id for _, one, _ in room.server.taken}) == 8
        assert written_in(room.store) == expected_in(room.store, room.facts)
        assert wrong_in(room.store) == []


async def test_events_of_tables_and_guests_without_an_address_get_no_letter() -> None:
    async with open_mailroom() as room:
        await room.happen("t1", "open table", "close table")
        await room.happen("b1", "request", "accept", email=None)
        await room.happen("b2", "request", "note", "accept")
        await until(lambda: len(room.server.taken) == 2)
        await trio.sleep(10)
        assert room.server.kinds("b2") == ["received", "accepted"]
        assert len(room.rows()) == 2


async def test_a_booking_that_is_not_known_any_longer_gets_no_letter() -> None:
    async with open_mailroom() as room:
        await room.happen("b1", "request", email=None)
        room.facts.clear()
        await room.happen("b2", "request")
        await until(lambda: room.server.taken)
        assert len(room.rows()) == 1


async def test_an_address_that_fits_no_header_gets_no_letter_and_holds_nothing_up() -> None:
    async with open_mailroom() as room:
        await room.happen("b1", "request", email="a@x.org\r\nBcc: eve@x.org")
        await room.happen("b2", "request")
        await until(lambda: room.server.taken)
        assert [one.booking_id for one in room.rows()] == ["b2"]


async def test_a_letter_that_fails_for_now_holds_the_next_one_of_its_booking() -> None:
    server = FakeServer()
    server.outcomes["b1@example.org"] = ["450", "450"]
    async with open_mailroom(server=server) as room:
        await room.happen("b1", "request", "accept")
        await until(lambda: len(room.rows(State.RETRYING)) == 1)
        assert room.states("b1") == [State.RETRYING, State.HELD]
        await until(lambda: len(server.taken) == 2, 1_000)
        assert server.kinds("b1") == ["received", "accepted"]
        first, second, third, _ = server.times("b1@example.org")
        assert second - first == pytest.approx(60, abs=1)
        assert third - second == pytest.approx(300, abs=1)
        assert wrong_in(room.store) == []


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["450", "login", "unreachable", "time-out", "broken"])
async def test_what_may_succeed_later_is_retried_for_a_day(outcome: str) -> None:
    server = FakeServer(always={"b1@example.org": outcome})
    async with open_mailroom(server=server) as room:
        await room.happen("b1", "request")
        await until(lambda: room.states("b1") == [State.SET_ASIDE], 25 * HOUR)
        times = server.times("b1@example.org")
        assert len(times) == 17
        assert 22 * HOUR < times[-1] - times[0] <= 24 * HOUR
        assert [one.number for one in room.attempts()] == list(range(1, 18))
        assert len({one.message_id for _, one in server.calls}) == 1
        assert wrong_in(room.store) == []


async def test_what_is_refused_for_good_is_set_aside_at_once_and_lets_the_next_one_go() -> None:
    server = FakeServer()
    server.outcomes["b1@example.org"] = ["550"]
    async with open_mailroom(server=server) as room:
        await room.happen("b1", "request", "accept")
        await until(lambda: server.taken)
        assert room.states("b1") == [State.SET_ASIDE, State.SENT]
        assert [(one.outcome, one.said) for one in room.attempts()] == [
            ("550", "no"),
            ("250", None),
        ]
        assert wrong_in(room.store) == []


async def test_a_bad_address_delays_no_other() -> None:
    bad = [f"bad{number}@example.org" for number in range(40)]
    server = FakeServer(always=dict.fromkeys(bad, "450"), seconds=dict.fromkeys(bad, 2.0))
    async with open_mailroom(server=server, most=4) as room:
        for number in range(8):
            await room.happen(f"slow{number}", "request", email=bad[number])
        await until(lambda: len(room.rows(State.RETRYING)) == 8)
        for number in range(20):
            await room.happen(f"b{number}", "request")
        began = trio.current_time()
        await until(lambda: len(server.taken) == 20, 10)
        assert trio.current_time() - began < 1
        assert wrong_in(room.store) == []


async def test_the_sixth_letter_of_an_hour_waits_and_is_not_lost() -> None:
    async with open_mailroom() as room:
        for number in range(12):
            address = "Ada@example.org" if number % 2 else "ada@example.org"
            await room.happen(f"b{number}", "request", email=address)
        await room.happen("other", "request")
        await until(lambda: len(room.server.taken) == 6)
        await trio.sleep(HOUR - 60)
        assert len(room.server.taken) == 6
        await until(lambda: len(room.server.taken) == 11, 120)
        await until(lambda: len(room.server.taken) == 13, 2 * HOUR)
        times = [at for at, one, _ in room.server.taken if one.booking_id != "other"]
        for first, sixth in zip(times, times[5:], strict=False):
            assert sixth - first >= HOUR
        assert wrong_in(room.store) == []


async def test_a_retry_sends_at_once_with_the_same_message_id() -> None:
    server = FakeServer(always={"b1@example.org": "550"})
    async with open_mailroom(server=server) as room:
        await room.happen("b1", "request")
        await until(lambda: room.states("b1") == [State.SET_ASIDE])
        server.always.clear()
        (letter,) = room.rows()
        shown = await room.desk.retry(letter.letter_id)
        assert shown.letter.state is State.DUE
        await until(lambda: server.taken)
        assert len({one.message_id for _, one in server.calls}) == 1
        with pytest.raises(LetterNotRetried) as no:
            await room.desk.retry(letter.letter_id)
        assert no.value.letter_state is State.SENT
        with pytest.raises(UnknownLetter):
            await room.desk.retry("let_9_0")
        with pytest.raises(UnknownLetter):
            await room.desk.show("let_9_0")
        assert wrong_in(room.store) == []


async def test_one_that_is_retried_while_another_one_is_open_is_held_behind_it() -> None:
    server = FakeServer()
    server.outcomes["b1@example.org"] = ["550", "450", "450"]
    async with open_mailroom(server=server) as room:
        await room.happen("b1", "request", "accept")
        await until(lambda: room.states("b1") == [State.SET_ASIDE, State.RETRYING])
        await room.desk.retry(room.rows()[0].letter_id)
        assert room.states("b1") == [State.HELD, State.RETRYING]
        with pytest.raises(LetterNotRetried) as no:
            await room.desk.retry(room.rows()[0].letter_id)
        assert no.value.letter_state is State.HELD
        await room.desk.retry(room.rows()[1].letter_id)
        await until(lambda: len(server.taken) == 2, 1_000)
        assert wrong_in(room.store) == []


async def test_one_that_is_retried_while_it_is_sent_is_not_sent_at_the_same_time() -> None:
    server = FakeServer(seconds={"b1@example.org": 30.0})
    server.outcomes["b1@example.org"] = ["450"]
    async with open_mailroom(server=server) as room:
        await room.happen("b1", "request")
        await until(lambda: len(server.calls) == 2, 200)
        await room.desk.retry(room.rows()[0].letter_id)
        await until(lambda: server.taken, 200)
        await trio.sleep(100)
        assert len(server.calls) == 2
        assert room.states("b1") == [State.SENT]


async def test_events_without_letters_are_not_worth_a_commit_each() -> None:
    async with open_mailroom() as room:
        await trio.sleep(1)
        before = room.ledger.statistics().groups
        for number in range(50):
            await room.happen(f"t{number}", "open table")
        await trio.sleep(1)
        assert room.ledger.statistics().groups == before + 50
        await trio.sleep(60)
        await room.happen("t50", "open table")
        await trio.sleep(1)
        assert room.ledger.statistics().groups == before + 52


async def test_the_backlog_is_counted_by_state_also_during_an_outage() -> None:
    server = FakeServer(always={"b1@example.org": "450", "b2@example.org": "550"})
    async with open_mailroom(server=server) as room:
        await room.happen("b1", "request", "accept")
        await room.happen("b2", "request")
        await room.happen("b3", "request")
        await until(lambda: len(room.rows(State.SET_ASIDE)) == 1)
        await until(lambda: len(room.rows(State.SENT)) == 1)
        for gone in (False, True):
            room.store.link.gone = gone
            (gauge,) = await room.backlog.metrics()
            counted = {one.labels["state"]: one.value for one in gauge.samples}
            assert counted == {"held": 1, "due": 0, "retrying": 1, "set_aside": 1}
        room.store.link.gone = False
        sample = room.registry.get_sample_value
        assert sample("cafe_letter_attempts_total", {"outcome": "550"}) == 1
