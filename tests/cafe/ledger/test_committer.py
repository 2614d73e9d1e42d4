"""The committer: groups, outages and refused rows, as the askers see them."""

from __future__ import annotations

from functools import partial

import pytest
import structlog.testing
import trio

from actors.testing import settle
from cafe.ledger import committer
from cafe.ledger.committer import RETRY_SECONDS
from cafe.ledger.department import Entry
from cafe.ledger.ledger import new_ledger, running
from cafe.pace import LONGEST_SECONDS, Pace
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.ledger.shelves import (
    GUESTBOOK,
    SHELF,
    TOO_LITTLE,
    Write,
    add_tables,
    drop,
    fill,
    open_shop,
    sign,
)

pytestmark = pytest.mark.schedules(10)


# Groups


async def test_a_reply_goes_out_when_its_unit_is_committed_and_the_event_is_in_the_log() -> None:
    async with open_shop(writing=1.0) as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a"))
        assert (shop.askers.answers, shop.subjects) == ([], [])
        await trio.sleep(1)
        await settle()
        assert (shop.askers.of("ada"), shop.askers.times["ada"]) == ("written", 1)
        assert (shop.subjects, shop.jars) == (["a"], {"a": 250})
        assert shop.ledger.statistics().position == 1


async def test_while_one_group_is_written_the_next_gathers_from_all_departments() -> None:
    async with open_shop(writing=1.0) as shop:
        shelf, book = await shop.open(SHELF), await shop.open(GUESTBOOK)
        await shop.askers.ask(shelf, "first", fill("a"))
        for number in range(50):
            await shop.askers.ask(shelf, f"shelf {number}", fill(f"jar {number}"))
            await shop.askers.ask(book, f"book {number}", sign(f"guest {number}"))
        assert shop.ledger.statistics().uncommitted == 101
        await shop.ledger.wait_written()
        await settle()
        statistics = shop.ledger.statistics()
        assert (statistics.groups, statistics.events, statistics.uncommitted) == (2, 101, 0)
        assert {shop.askers.times[name] for name, _ in shop.askers.answers} == {1, 2}
        assert [one.position for one in shop.store.logged] == list(range(1, 102))
        # Whatever the order between departments, each one's own is kept.
        jars = [one for one in shop.subjects if not one.startswith("guest")]
        assert jars == ["a", *(f"jar {number}" for number in range(50))]


async def test_at_a_pace_a_rush_is_written_in_few_groups_and_a_lone_unit_at_once() -> None:
    async def rush(pace: Pace | None) -> tuple[int, list[float]]:
        """Write a jar each half millisecond, in commits that take one.

        Return in how many groups the later half was written, and when a lone jar was after that.
        """
        async with open_shop(writing=0.001, pace=pace) as shop:
            clerk = await shop.open(SHELF)
            groups = 0
            for number in range(1_200):
                await shop.askers.ask(clerk, f"asker {number}", fill(f"jar {number}"))
                await trio.sleep(0.0005)
                if number == 600:
                    groups = shop.ledger.statistics().groups
            await shop.ledger.wait_written()
            groups = shop.ledger.statistics().groups - groups
            await trio.sleep(1)
            lone = [trio.current_time()]
            await shop.askers.ask(clerk, "lone", fill("lone jar"))
            await shop.ledger.wait_written()
            lone.append(trio.current_time())
            assert shop.subjects == [*(f"jar {number}" for number in range(1_200)), "lone jar"]
            return groups, lone

    groups, (began, ended) = await rush(Pace())
    assert groups <= 0.3 / LONGEST_SECONDS + 2
    assert (await rush(None))[0] > 10 * groups
    assert ended - began < LONGEST_SECONDS / 2


async def test_a_backlog_is_written_in_several_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "MOST_IN_GROUP", 10)
    async with open_shop(writing=1.0) as shop:
        clerk = await shop.open(SHELF)
        for number in range(25):
            await shop.askers.ask(clerk, f"asker {number}", fill(f"jar {number}"))
        # One was under way before the rest had gathered.
        await shop.ledger.wait_written()
        await settle()
        assert shop.ledger.statistics().groups == 6
        assert shop.subjects == [f"jar {number}" for number in range(25)]
        assert [answer for _, answer in shop.askers.answers] == ["written"] * 25
        assert shop.askers.times["asker 24"] == 6


async def test_the_last_row_of_a_group_counts() -> None:
    async with open_shop() as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "first", fill("a", 1))
        await shop.askers.ask(clerk, "second", fill("a", 2), fill("b", 3))
        await shop.askers.ask(clerk, "third", drop("b"), fill("a", 4), fill("c", 5))
        await shop.ledger.wait_written()
        assert shop.jars == {"a": 4, "c": 5}
        assert shop.subjects == ["a", "a", "b", "b", "a", "c"]


async def test_the_events_of_a_group_are_sorted_by_time_across_departments() -> None:
    async with open_shop(writing=1.0) as shop:
        shelf, book = await shop.open(SHELF), await shop.open(GUESTBOOK)
        await shop.askers.ask(shelf, "first", fill("a", at=1))
        await shop.askers.ask(book, "bo", sign("bo", at=2))
        await shop.askers.ask(shelf, "c", fill("c", at=3), fill("d", at=3))
        await shop.askers.ask(shelf, "moves on", Entry(None))
        await shop.askers.ask(book, "refused", sign("", at=4))
        await shop.askers.ask(book, "ed", sign("ed", at=4))
        await shop.askers.ask(shelf, "f", fill("f", at=5))
        await shop.ledger.wait_written()
        await settle()
        assert shop.subjects == ["a", "bo", "c", "d", "ed", "f"]
        assert dict(shop.askers.answers) == {
            **dict.fromkeys(("first", "bo", "c", "moves on", "ed", "f"), "written"),
            "refused": "NotRecorded",
        }


# Outages


@pytest.mark.parametrize("answered", [False, True])
async def test_through_an_outage_a_commit_is_repeated_and_written_once(*, answered: bool) -> None:
    async with open_shop(writing=1.0) as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a"))
        await trio.sleep(0.5)
        shop.store.link.mute = int(answered)
        shop.store.link.gone = not answered
        with structlog.testing.capture_logs() as logs:
            await trio.sleep(1)
            await shop.askers.ask(clerk, "bo", fill("b"))
            assert shop.askers.answers == []
            assert shop.subjects == (["a"] if answered else [])
            await trio.sleep(10 if not answered else 0)
            shop.store.link.gone = False
            await shop.ledger.wait_written()
        await settle()
        assert [answer for _, answer in shop.askers.answers] == ["written"] * 2
        assert shop.subjects == ["a", "b"]
        # Said once, however often it was tried.
        assert [line["event"] for line in logs] == ["database unavailable", "database available"]
        assert logs[0]["uncommitted"] == 1
        assert logs[1]["after_seconds"] >= RETRY_SECONDS


async def test_an_outage_at_the_start_is_waited_for() -> None:
    store = FaultyStore()
    add_tables(store)
    store.link.gone = True
    ledger, opened = new_ledger(store, trio.current_time, Disk(), Disk()), list[float]()

    async def open_shelf() -> None:
        await ledger.open(SHELF)
        opened.append(trio.current_time())

    async with running(ledger, grace=1.0), trio.open_nursery() as nursery:
        nursery.start_soon(open_shelf)
        await trio.sleep(20)
        assert opened == []
        store.link.gone = False
    assert opened == pytest.approx([20], abs=2 * RETRY_SECONDS)


async def test_a_department_that_starts_during_an_outage_waits_for_it() -> None:
    opened = list[object]()

    async with open_shop(writing=0.0) as shop, trio.open_nursery() as nursery:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a", 5))
        await settle()
        shop.store.link.gone = True

        async def open_again() -> None:
            opened.extend(await shop.ledger.open(SHELF))

        nursery.start_soon(open_again)
        await trio.sleep(20)
        assert opened == []
        shop.store.link.gone = False
        await trio.sleep(1)
        assert opened[1] == {"a": 5}


async def test_a_department_that_starts_again_waits_for_the_group_under_way() -> None:
    async with open_shop(writing=1.0) as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "under way", fill("a", 5))
        await shop.askers.ask(clerk, "gathered", fill("b", 6))
        _, jars = await shop.ledger.open(SHELF)
        await settle()
        assert (trio.current_time(), jars) == (1, {"a": 5})
        # What was under way is committed and acknowledged; what had only gathered never happened.
        assert dict(shop.askers.answers) == {"under way": "written", "gathered": "JournalClosed"}
        await shop.askers.ask(clerk, "too late", fill("c", 7))
        await shop.ledger.wait_written()
        assert (shop.askers.of("too late"), shop.jars) == ("JournalClosed", {"a": 5})


async def test_another_department_s_start_disturbs_no_other() -> None:
    async with open_shop(writing=1.0) as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a"))
        await shop.askers.ask(clerk, "bo", fill("b"))
        await shop.open(GUESTBOOK)
        await shop.ledger.wait_written()
        await settle()
        assert [answer for _, answer in shop.askers.answers] == ["written"] * 2


# Refused rows


async def test_a_refused_unit_fails_alone_and_its_asker_is_refused() -> None:
    async with open_shop() as shop:
        shelf, book = await shop.open(SHELF), await shop.open(GUESTBOOK)
        await shop.askers.ask(book, "first", sign("zoe"))
        await shop.askers.ask(shelf, "before", fill("a"))
        await shop.askers.ask(shelf, "bad", fill("b", TOO_LITTLE))
        await shop.askers.ask(shelf, "behind", fill("c"))
        await shop.askers.ask(book, "beside", sign("ada"))
        with structlog.testing.capture_logs() as logs:
            await trio.sleep(2)
            await settle()  # it is refused at this very moment
        await shop.askers.ask(shelf, "later", fill("d"))
        await shop.askers.ask(book, "later beside", sign("bo"))
        await shop.ledger.wait_written()
        await settle()
        assert dict(shop.askers.answers) == {
            "first": "written",
            "before": "written",
            "bad": "NotRecorded",
            "behind": "JournalClosed",
            "beside": "written",
            "later": "JournalClosed",
            "later beside": "written",
        }
        assert (shop.jars, shop.guests) == ({"a": 250}, {"zoe", "ada", "bo"})
        assert [one.position for one in shop.store.logged] == [1, 2, 3, 4]
        assert [(line["event"], line["reason"]) for line in logs] == [("row refused", "conflict")]


async def test_a_department_learns_that_it_has_to_load_and_goes_on_then() -> None:
    async with open_shop() as shop, trio.open_nursery() as nursery:
        loaded = list[tuple[float, dict[str, int]]]()

        async def load_when_refused() -> None:
            while True:
                await shop.ledger.wait_refused(SHELF)
                _, jars = await shop.ledger.open(SHELF)
                loaded.append((trio.current_time(), jars))

        nursery.start_soon(load_when_refused)
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a", 5))
        await shop.askers.ask(clerk, "bo", fill("b", TOO_LITTLE))
        await trio.sleep(10)
        assert loaded == [(2, {"a": 5})]
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "cy", fill("c", TOO_LITTLE))
        await trio.sleep(10)
        assert [jars for _, jars in loaded] == [{"a": 5}] * 2
        nursery.cancel_scope.cancel()


async def test_a_department_that_has_loaded_meanwhile_need_not_load_again() -> None:
    async with open_shop() as shop, trio.open_nursery() as nursery:
        refused = list[None]()

        async def wait_refused() -> None:
            await shop.ledger.wait_refused(SHELF)
            refused.append(None)

        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "bad", fill("b", TOO_LITTLE))
        # It crashes, say, while its row is on its way to be refused.
        clerk = await shop.open(SHELF)
        nursery.start_soon(wait_refused)
        await shop.askers.ask(clerk, "good", fill("a"))
        await trio.sleep(5)
        assert (dict(shop.askers.answers), refused) == (
            {"bad": "NotRecorded", "good": "written"},
            [],
        )
        nursery.cancel_scope.cancel()


async def test_a_department_without_memory_goes_on_after_a_refused_row() -> None:
    async with open_shop() as shop:
        book = await shop.open(GUESTBOOK)
        await shop.askers.ask(book, "first", sign("zoe"))
        await shop.askers.ask(book, "bad", sign(""))
        await shop.askers.ask(book, "behind", sign("ada"))
        await shop.ledger.wait_written()
        await shop.askers.ask(book, "later", sign("bo"))
        await shop.ledger.wait_written()
        await settle()
        assert dict(shop.askers.answers) == {
            "first": "written",
            "bad": "NotRecorded",
            "behind": "written",
            "later": "written",
        }
        assert shop.guests == {"zoe", "ada", "bo"}


async def test_a_refused_group_whose_answer_is_lost_ends_the_same_way() -> None:
    async with open_shop() as shop:
        shelf, book = await shop.open(SHELF), await shop.open(GUESTBOOK)
        await shop.askers.ask(book, "first", sign("zoe"))
        await shop.askers.ask(shelf, "before", fill("a"))
        await shop.askers.ask(shelf, "bad", fill("b", TOO_LITTLE))
        await shop.askers.ask(book, "beside", sign("ada"))
        await trio.sleep(1.5)
        shop.store.link.mute = 1
        await trio.sleep(5)
        assert shop.store.link.mute == 0
        assert dict(shop.askers.answers) == {
            "first": "written",
            "before": "written",
            "bad": "NotRecorded",
            "beside": "written",
        }
        assert sorted(shop.subjects) == ["a", "ada", "zoe"]


# The rest


async def test_a_ping_answers_when_something_could_be_written() -> None:
    async with open_shop(writing=1.0) as shop:
        await shop.ledger.ping()
        assert trio.current_time() == 1
        shop.store.link.gone = True
        with trio.move_on_after(20) as scope:
            await shop.ledger.ping()
        assert scope.cancelled_caught
        shop.store.link.gone = False
        await shop.ledger.ping()


class CountingStore(FaultyStore):
    """Counts the pings that the database has answered."""

    pings = 0

    def ping(self) -> None:
        super().ping()
        self.pings += 1


async def test_a_ping_that_is_cancelled_in_an_outage_leaves_nothing_behind() -> None:
    store = CountingStore()
    async with open_shop(store, writing=1.0) as shop, trio.open_nursery() as nursery:
        pings = store.pings
        store.link.gone = True
        nursery.start_soon(shop.ledger.ping)
        await settle()
        for _ in range(3):
            with trio.move_on_after(20):
                await shop.ledger.ping()
        store.link.gone = False
        await trio.sleep(20)
        assert store.pings == pings + 1


async def test_many_pings_are_one() -> None:
    async with open_shop(writing=1.0) as shop, trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(shop.ledger.ping)
    assert trio.current_time() <= 2


async def test_a_ping_is_answered_with_the_group_that_it_comes_with() -> None:
    async with open_shop(writing=1.0) as shop, trio.open_nursery() as nursery:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a"))
        await shop.askers.ask(clerk, "bo", fill("b"))
        nursery.start_soon(shop.ledger.ping)
        await shop.ledger.wait_written()
    assert trio.current_time() == 2


async def test_giving_up_refuses_the_held_replies_and_writes_their_entries_all_the_same() -> None:
    async with open_shop(writing=1.0) as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "under way", fill("a"))
        await shop.askers.ask(clerk, "gathered", fill("b"))
        await shop.askers.send(clerk, "looks", Write())
        shop.ledger.give_up()
        await settle()
        assert [answer for _, answer in shop.askers.answers] == ["LedgerUnavailable"] * 3
        await shop.ledger.wait_written()
        assert shop.jars == {"a": 250, "b": 250}


async def test_what_is_left_is_written_at_the_end_and_no_longer_than_the_grace() -> None:
    store = FaultyStore()
    for grace, left in ((60.0, ["a", "b"]), (1.5, ["a", "b", "c"])):
        async with open_shop(store, writing=1.0, grace=grace) as shop:
            clerk = await shop.open(SHELF)
            for jar in "ab" if grace == 60.0 else "cd":
                await shop.askers.ask(clerk, jar, fill(jar))
        assert shop.subjects == left


async def test_after_a_refused_row_nothing_is_left_to_be_waited_for() -> None:
    async with open_shop(writing=1.0) as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "bad", fill("b", TOO_LITTLE))
        await shop.askers.ask(clerk, "behind", fill("c"))
        with trio.fail_after(5):
            await shop.ledger.wait_written()
        assert shop.ledger.statistics().uncommitted == 0


async def test_the_end_waits_for_the_group_under_way_of_a_journal_that_is_closed() -> None:
    async with open_shop(writing=1.0) as shop, trio.open_nursery() as nursery:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a"))
        nursery.start_soon(partial(shop.ledger.open, SHELF))
        await settle()
        await shop.ledger.wait_written()
        assert shop.jars == {"a": 250}
