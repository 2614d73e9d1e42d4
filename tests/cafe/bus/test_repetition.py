"""Retries over the bus: nothing takes effect twice, everything is answered, little is cached.

Rule: the front and its houses are the pure classes that the processes use. Between them is a wire
that loses, repeats and reorders batches as Hypothesis chooses.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cafe.bus.batches import Answer, Answers, Asks, Outcome
from cafe.bus.codec import encode
from cafe.bus.open_asks import OpenAsks
from cafe.bus.reply_cache import ReplyCache
from tests.chance import examples

NOTHING = msgspec.Raw(encode(None))
INDEX = st.integers(0, 1_000)


@dataclass
class House:
    """The part of `Answering` that handles a batch, without its tasks."""

    name: str
    replies: ReplyCache = field(default_factory=ReplyCache)
    runs: Counter[int] = field(default_factory=Counter[int])
    """How often each ask was started."""
    running: list[int] = field(default_factory=list[int])
    """The asks that have not ended, in the order of their start."""

    def take(self, asks: Asks) -> list[Answer]:
        """Return the answers that are sent at once."""
        answered, answers = self.replies, list[Answer]()
        for one in answered.begin(asks.asks):
            if isinstance(one, Answer):
                answers.append(one)
            elif answered.is_cancelled(one.number):
                answers.append(self.end(one.number, Outcome.CANCELLED))
            else:
                self.runs[one.number] += 1
                self.running.append(one.number)
        for number in answered.cancel(asks.cancelled):
            answers.append(self.end(number, Outcome.CANCELLED))
        if asks.open is not None:
            due = answered.report(asks.open)
            answers += [Answer(one, Outcome.UNKNOWN, NOTHING) for one in due.unknown]
            answers += [Answer(one, Outcome.CRASHED, NOTHING) for one in due.forgotten]
            answers += due.answers
            answers += [self.end(one, Outcome.CANCELLED) for one in due.given_up]
        return answers

    def forget(self) -> None:
        """Treat the front as disconnected: it could not renew its key for long."""
        self.running.clear()
        self.replies = ReplyCache(self.replies.last)

    def end(self, number: int, outcome: Outcome) -> Answer:
        if number in self.running:
            self.running.remove(number)
        answer = Answer(number, outcome, msgspec.Raw(encode(number)))
        self.replies.end(answer)
        return answer


class Repetition(RuleBasedStateMachine):
    """One front, its houses one after the other, and the wire between them."""

    def __init__(self) -> None:
        super().__init__()
        self.front = OpenAsks("front")
        self.houses: list[House] = []
        self.to_house: list[Asks] = []
        self.to_front: list[Answers] = []
        self.asked: list[int] = []
        self.cancelled: set[int] = set()
        self.outcomes: dict[int, Outcome] = {}
        self.failed: list[set[int]] = []
        """By house, what had failed in those before it."""
        self.open_house()

    # The front

    @rule()
    def ask(self) -> None:
        self.asked.append(self.front.add("Dispatcher", "CountQueue", encode(None)))

    @precondition(lambda self: len(self.outcomes) + len(self.cancelled) < len(self.asked))
    @rule(index=INDEX)
    def cancel(self, index: int) -> None:
        given_up = self.outcomes.keys() | self.cancelled
        waiting = [one for one in self.asked if one not in given_up]
        if waiting:
            number = waiting[index % len(waiting)]
            self.cancelled.add(number)
            if not self.front.cancel(number):
                self.outcomes[number] = Outcome.CANCELLED

    @precondition(lambda self: self.front.has_news or self.front.has_open)
    @rule(report=st.booleans())
    def send(self, report: bool) -> None:  # noqa: FBT001 - a strategy's
        if self.front.has_news or report:
            self.to_house.append(self.front.take(report=report))

    # The wire

    @precondition(lambda self: self.to_house)
    @rule(index=INDEX, repeats=st.booleans())
    def carry_asks(self, index: int, repeats: bool) -> None:  # noqa: FBT001 - as above
        batch = self.to_house[index % len(self.to_house)]
        if not repeats:
            self.to_house.remove(batch)
        self.receive(batch)

    @precondition(lambda self: self.to_house)
    @rule(index=INDEX)
    def lose_asks(self, index: int) -> None:
        del self.to_house[index % len(self.to_house)]

    @precondition(lambda self: self.to_front)
    @rule(index=INDEX, repeats=st.booleans())
    def carry_answers(self, index: int, repeats: bool) -> None:  # noqa: FBT001 - as above
        batch = self.to_front[index % len(self.to_front)]
        if not repeats:
            self.to_front.remove(batch)
        self.hear(batch)

    @precondition(lambda self: self.to_front)
    @rule(index=INDEX)
    def lose_answers(self, index: int) -> None:
        del self.to_front[index % len(self.to_front)]

    # The house

    @precondition(lambda self: self.house.running)
    @rule(index=INDEX)
    def finish(self, index: int) -> None:
        running = self.house.running
        answer = self.house.end(running[index % len(running)], Outcome.ANSWERED)
        self.to_front.append(Answers(self.house.name, [answer]))

    @rule()
    def forget_front(self) -> None:
        self.house.forget()

    @precondition(lambda self: len(self.houses) < 3)
    @rule()
    def open_house(self) -> None:
        self.houses.append(House(f"house {len(self.houses)}"))
        for number in self.front.begin(self.house.name):
            assert number not in self.outcomes
            self.outcomes[number] = Outcome.CRASHED
        self.failed.append({one for one, how in self.outcomes.items() if how is Outcome.CRASHED})

    # Invariants

    @invariant()
    def nothing_takes_effect_twice(self) -> None:
        for house in self.houses:
            assert max(house.runs.values(), default=1) == 1

    @invariant()
    def what_failed_in_one_house_is_not_begun_in_the_next(self) -> None:
        for house, failed in zip(self.houses, self.failed, strict=True):
            assert failed.isdisjoint(house.runs)

    @invariant()
    def what_is_answered_was_run(self) -> None:
        answered = [one for one, outcome in self.outcomes.items() if outcome is Outcome.ANSWERED]
        assert all(any(house.runs[one] for house in self.houses) for one in answered)

    def teardown(self) -> None:
        """Check that with a working wire all is answered, and nothing stays cached."""
        for _ in range(8):
            self.to_house += [self.front.take(report=True)]
            while self.to_house:
                self.receive(self.to_house.pop(0))
            for number in list(self.house.running):
                answer = self.house.end(number, Outcome.ANSWERED)
                self.to_front.append(Answers(self.house.name, [answer]))
            while self.to_front:
                self.hear(self.to_front.pop(0))
        assert self.outcomes.keys() == set(self.asked)
        for number in set(self.asked) - self.cancelled:
            assert self.outcomes[number] in {Outcome.ANSWERED, Outcome.CRASHED}
        assert len(self.front) == 0
        assert len(self.house.replies) == 0
        self.nothing_takes_effect_twice()

    # How batches are received

    @property
    def house(self) -> House:
        return self.houses[-1]

    def receive(self, batch: Asks) -> None:
        if batch.house == self.house.name:
            answers = self.house.take(batch)
            if answers:
                self.to_front.append(Answers(self.house.name, answers))

    def hear(self, batch: Answers) -> None:
        if batch.house != self.front.house:
            return
        for answer in batch.answers:
            if answer.outcome is Outcome.UNKNOWN:
                self.front.repeat(answer.number)
            elif self.front.settle(answer.number):
                assert answer.number not in self.outcomes
                self.outcomes[answer.number] = answer.outcome


TestRepetition = Repetition.TestCase
TestRepetition.settings = settings(
    max_examples=examples(300), stateful_step_count=60, deadline=None
)


def test_an_ask_that_stays_open_does_not_make_the_reply_cache_grow() -> None:
    house, front = House("house"), OpenAsks("front")
    front.begin(house.name)
    front.add("Dispatcher", "StartOrder", encode(None))
    for step in range(1_000):
        front.add("Dispatcher", "CountQueue", encode(None))
        for answer in house.take(front.take(report=step % 5 == 0)):
            front.settle(answer.number)
        for number in list(house.running):
            if number > 1:
                front.settle(house.end(number, Outcome.ANSWERED).number)
        assert len(house.replies) < 15
    assert len(front) == 1
    assert house.running == [1]


def test_a_lost_answer_is_sent_again_but_not_one_that_may_be_on_its_way() -> None:
    house, front = House("house"), OpenAsks("front")
    front.begin(house.name)
    number = front.add("Dispatcher", "CountQueue", encode(None))
    assert house.take(front.take()) == []
    answer = house.end(number, Outcome.ANSWERED)
    assert house.take(front.take(report=True)) == []
    assert house.take(front.take(report=True)) == [answer]
    front.settle(number)
    assert house.take(front.take(report=True)) == []
    assert len(house.replies) == 0


def test_an_ask_keeps_its_body_when_it_is_sent_again() -> None:
    front, house = OpenAsks("front"), House("house")
    front.begin(house.name)
    number = front.add("Dispatcher", "CountQueue", encode("body"))
    lost = front.take()
    [unknown] = house.take(front.take(report=True))
    assert (unknown.number, unknown.outcome) == (number, Outcome.UNKNOWN)
    front.repeat(number)
    assert front.take().asks == lost.asks


def test_an_overtaken_report_makes_no_ask_run_again() -> None:
    front, house = OpenAsks("front"), House("house")
    front.begin(house.name)
    number = front.add("Dispatcher", "CountQueue", encode(None))
    repeated = front.take()
    assert house.take(repeated) == []
    overtaken = front.take(report=True)
    house.end(number, Outcome.ANSWERED)
    front.settle(number)
    assert house.take(front.take(report=True)) == []
    assert house.take(overtaken) == []
    assert house.take(repeated) == []
    assert house.runs == {number: 1}


def ask(front: OpenAsks) -> int:
    return front.add("Dispatcher", "CountQueue", encode(None))


def test_an_answer_that_is_lost_again_is_sent_again_with_each_report() -> None:
    house, front = House("house"), OpenAsks("front")
    front.begin(house.name)
    number = ask(front)
    house.take(front.take())
    answer = house.end(number, Outcome.ANSWERED)
    house.take(front.take(report=True))
    assert [house.take(front.take(report=True)) for _ in range(3)] == [[answer]] * 3


def test_an_ask_that_comes_again_is_answered_again_at_once() -> None:
    house, front = House("house"), OpenAsks("front")
    front.begin(house.name)
    number = ask(front)
    batch = front.take()
    house.take(batch)
    answer = house.end(number, Outcome.ANSWERED)
    assert house.take(batch) == [answer]


def test_an_ask_that_its_cancel_has_overtaken_is_not_begun() -> None:
    house, front = House("house"), OpenAsks("front")
    front.begin(house.name)
    number = ask(front)
    asked = front.take()
    front.cancel(number)
    assert house.take(front.take()) == []
    [answer] = house.take(asked)
    assert (answer.number, answer.outcome) == (number, Outcome.CANCELLED)
    assert not house.runs
    assert len(house.replies) == 1  # its answer


def test_a_cancel_of_what_has_ended_changes_nothing() -> None:
    house, front = House("house"), OpenAsks("front")
    front.begin(house.name)
    number = ask(front)
    house.take(front.take())
    house.end(number, Outcome.ANSWERED)
    front.cancel(number)
    assert house.take(front.take()) == []
    assert len(house.replies) == 1  # the answer


def test_what_a_house_kept_of_asks_that_failed_meanwhile_in_another_is_given_up() -> None:
    house, front = House("house"), OpenAsks("front")
    front.begin(house.name)
    running, overtaking = ask(front), ask(front)
    asked = front.take()
    front.cancel(overtaking)
    assert house.take(front.take()) == []
    house.take(Asks(asked.house, asked.front, asked.asks[:1], []))
    front.begin("another")
    front.begin(house.name)
    [answer] = house.take(front.take(report=True))
    assert (answer.number, answer.outcome) == (running, Outcome.CANCELLED)
    assert house.running == []
    house.take(front.take(report=True))
    assert len(house.replies) == 0
