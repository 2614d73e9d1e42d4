"""The book of bans compared with a model that logs every refusal and drops no address."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cafe.limits.bans import LONGEST, Ban, BanBook
from tests.chance import examples

AFTER = 10
SECONDS = 60.0
WINDOW = 10.0
START = 1_000_000.0

addresses = st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"])
pauses = st.one_of(
    st.floats(0, 2),
    st.floats(0, 2 * WINDOW),
    st.sampled_from([WINDOW, SECONDS, 2 * SECONDS, LONGEST, 1.5 * LONGEST]),
)


def new_book(most: int = 100) -> BanBook:
    return BanBook(after=AFTER, seconds=SECONDS, window_seconds=WINDOW, most=most)


def earn(book: BanBook, address: str, now: float) -> None:
    book.record(address, AFTER, now)


class BanPlay(RuleBasedStateMachine):
    """Refusals at any pace, by three addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.book = new_book()
        self.now = START
        self.refusals: dict[str, list[float]] = {}  # those that count towards the next ban
        self.bans: list[Ban] = []  # the revision of each is its place, from 1
        # One that was lifted is followed by a ban that lasts no time.

    @rule(pause=pauses)
    def wait(self, pause: float) -> None:
        self.now += pause

    @rule(address=addresses, times=st.integers(1, 2 * AFTER))
    def refuse(self, address: str, times: int) -> None:
        self.book.record(address, times, self.now)
        last = self.last_ban(address)
        if last is not None and last.is_lifted:
            last = None
        if last is not None and self.now < last.since + WINDOW:
            return
        log = self.refusals.setdefault(address, [])
        log.extend([self.now] * times)
        if self.count_lately(log) >= AFTER:
            log.clear()
            forgotten = last is None or self.now >= last.since + LONGEST
            seconds = SECONDS if forgotten or last is None else min(2 * last.seconds, LONGEST)
            self.bans.append(Ban(address, self.now + seconds, seconds))

    @rule(address=addresses)
    def lift(self, address: str) -> None:
        last = self.last_ban(address)
        is_banned = last is not None and self.now < last.until
        assert self.book.lift(address, self.now) == is_banned
        self.refusals.pop(address, None)
        self.bans.append(Ban(address, self.now, 0.0))

    @rule(most=st.integers(0, 4))
    def list_them(self, most: int) -> None:
        latest = {ban.address: ban for ban in self.bans}
        # By identity: after a lift an address may earn an equal one.
        newest = [ban for ban in reversed(self.bans) if latest[ban.address] is ban]
        in_force = [ban for ban in newest if self.now < ban.until]
        assert list(self.book.newest(most, self.now)) == in_force[:most]

    @rule(missed=st.integers(0, 4))
    def catch_up(self, missed: int) -> None:
        seen = max(0, len(self.bans) - missed)
        newer = self.bans[seen:]
        latest = {ban.address: ban for ban in newer}
        news = [ban for ban in newer if latest[ban.address] is ban and self.now < ban.until]
        assert list(self.book.since(seen, self.now)) == news
        lifted = [ban for ban in latest.values() if ban.is_lifted]
        # One that was lifted LONGEST ago may have been dropped.
        kept = {ban.address for ban in lifted if self.now < ban.since + LONGEST}
        found = set(self.book.lifted_since(seen))
        assert kept <= found <= {ban.address for ban in lifted}

    @invariant()
    def the_same_addresses_are_cut_off_for_as_long(self) -> None:
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            last = self.last_ban(address)
            left = 0.0 if last is None else max(0.0, last.until - self.now)
            assert self.book.seconds_left(address, self.now) == left

    @invariant()
    def everything_is_counted(self) -> None:
        latest = {ban.address: ban for ban in self.bans}.values()
        assert self.book.count(self.now) == sum(self.now < ban.until for ban in latest)
        assert self.book.revision == len(self.bans)
        assert self.book.imposed == sum(not ban.is_lifted for ban in self.bans)

    @invariant()
    def no_ban_outlasts_the_longest(self) -> None:
        assert all(self.book.seconds_left(ban.address, self.now) <= LONGEST for ban in self.bans)

    def last_ban(self, address: str) -> Ban | None:
        return next((ban for ban in reversed(self.bans) if ban.address == address), None)

    def count_lately(self, log: list[float]) -> float:
        boundary = self.now // WINDOW * WINDOW
        current = sum(time >= boundary for time in log)
        previous = sum(boundary - WINDOW <= time < boundary for time in log)
        return current + previous * (1 - (self.now - boundary) / WINDOW)


BanPlay.TestCase.settings = settings(max_examples=examples(30))
test_the_book_agrees_with_a_naive_one = BanPlay.TestCase


def test_the_refusal_that_is_one_too_many_imposes_the_ban() -> None:
    book = new_book()
    book.record("192.0.2.1", AFTER - 1, START)
    assert book.seconds_left("192.0.2.1", START) == 0.0
    book.record("192.0.2.1", 1, START)
    assert book.since(0, START) == (Ban("192.0.2.1", START + SECONDS, SECONDS),)


def test_refusals_that_trickle_in_never_add_up_to_a_ban() -> None:
    book = new_book()
    for n in range(1000):
        book.record("192.0.2.1", 1, START + n * WINDOW / AFTER * 2)
    assert book.imposed == 0


def test_one_burst_is_one_offence_however_large() -> None:
    book = new_book()
    for n in range(100):
        earn(book, "192.0.2.1", START + n / 100)
    assert book.imposed == 1
    assert book.seconds_left("192.0.2.1", START + 1) == SECONDS - 1


def test_bans_of_an_address_that_never_stops_double_up_to_the_longest() -> None:
    book = new_book()
    lengths: list[float] = []
    for n in range(10):
        earn(book, "192.0.2.1", START + n * WINDOW)
        lengths += [ban.seconds for ban in book.since(book.revision - 1, START + n * WINDOW)]
    assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]


def test_a_ban_that_has_ended_doubles_the_next_one() -> None:
    book = new_book()
    earn(book, "192.0.2.1", START)
    later = START + LONGEST - 1
    assert book.seconds_left("192.0.2.1", later) == 0.0
    earn(book, "192.0.2.1", later)
    assert book.seconds_left("192.0.2.1", later) == 2 * SECONDS
    assert book.count(later) == 1


def test_a_ban_that_was_lengthened_is_the_newest() -> None:
    book = new_book()
    earn(book, "192.0.2.1", START)
    earn(book, "192.0.2.2", START)
    earn(book, "192.0.2.1", START + WINDOW)
    news = book.since(2, START + WINDOW)
    assert news == (Ban("192.0.2.1", START + WINDOW + 2 * SECONDS, 2 * SECONDS),)


def test_a_ban_long_past_does_not_double_the_next_one() -> None:
    book = new_book()
    earn(book, "192.0.2.1", START)
    later = START + LONGEST
    earn(book, "192.0.2.1", later)
    assert book.seconds_left("192.0.2.1", later) == SECONDS


def test_a_first_ban_may_be_set_to_outlast_the_longest() -> None:
    book = BanBook(after=1, seconds=2 * LONGEST, window_seconds=WINDOW, most=10)
    for n in range(3):
        book.record("192.0.2.1", 1, START + n * WINDOW)
        assert book.seconds_left("192.0.2.1", START + n * WINDOW) == 2 * LONGEST


def test_a_full_book_bans_no_other_address_and_keeps_its_bans() -> None:
    book = new_book(most=2)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        earn(book, address, START)
    assert [book.seconds_left(f"192.0.2.{n}", START) for n in (1, 2, 3)] == [SECONDS, SECONDS, 0.0]
    assert book.imposed == 2


def test_a_full_book_still_lengthens_its_bans() -> None:
    book = new_book(most=1)
    earn(book, "192.0.2.1", START)
    earn(book, "192.0.2.1", START + WINDOW)
    assert book.seconds_left("192.0.2.1", START + WINDOW) == 2 * SECONDS


def test_a_full_book_drops_a_ban_that_no_longer_counts_for_the_next() -> None:
    book = new_book(most=2)
    earn(book, "192.0.2.1", START)
    earn(book, "192.0.2.2", START + 1)
    earn(book, "192.0.2.3", START + LONGEST)
    assert book.seconds_left("192.0.2.3", START + LONGEST) == SECONDS
    assert book.seconds_left("192.0.2.1", START + LONGEST) == 0.0
    assert book.count(START + LONGEST) == 1


def test_a_full_book_bans_the_addresses_in_it_again() -> None:
    book = new_book(most=1)
    earn(book, "192.0.2.1", START)
    earn(book, "192.0.2.1", START + SECONDS)
    assert book.seconds_left("192.0.2.1", START + SECONDS) == 2 * SECONDS


def test_a_full_book_lifts_a_ban_and_has_room_for_another() -> None:
    book = new_book(most=2)
    for address in ("192.0.2.1", "192.0.2.2"):
        earn(book, address, START)
    assert not book.lift("192.0.2.3", START)
    assert book.lift("192.0.2.1", START + 1)
    assert book.lifted_since(2) == ("192.0.2.1",)
    earn(book, "192.0.2.3", START + LONGEST)
    assert book.newest(2, START + LONGEST) == (
        Ban("192.0.2.3", START + LONGEST + SECONDS, SECONDS),
    )


def test_after_its_ban_was_lifted_an_address_starts_from_the_beginning() -> None:
    book = new_book()
    earn(book, "192.0.2.1", START)
    earn(book, "192.0.2.1", START + WINDOW)
    assert book.lift("192.0.2.1", START + WINDOW)
    book.record("192.0.2.1", AFTER - 1, START + WINDOW)
    assert book.seconds_left("192.0.2.1", START + WINDOW) == 0.0
    book.record("192.0.2.1", 1, START + WINDOW)
    assert book.seconds_left("192.0.2.1", START + WINDOW) == SECONDS
    assert book.lifted_since(0) == ()


def test_an_address_that_shares_a_window_is_not_banned() -> None:
    book = new_book(most=1)
    book.record("192.0.2.1", 1, START)
    for n in range(2, 200):
        book.record(f"192.0.2.{n}", 1, START)
    assert book.imposed == 0


@pytest.mark.parametrize("revision", [0, 7, 10**18])
def test_revisions_go_on_from_where_the_book_was_opened(revision: int) -> None:
    book = BanBook(after=1, seconds=60, window_seconds=10, most=10, revision=revision)
    book.record("192.0.2.1", 1, START)
    assert book.revision == revision + 1
    assert len(book.since(revision, START)) == 1
    assert book.since(revision + 1, START) == ()
