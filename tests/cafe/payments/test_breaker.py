"""The circuit breaker, against the sentence that it implements."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cafe.payments.breaker import Breaker, State
from tests.chance import examples

MOST, SECONDS = 3, 10.0


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin and end in any sequence, also long after they began."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(MOST, SECONDS)
        self.now = 100.0
        self.calls: list[int] = []
        self.failures = 0
        self.opened_at: float | None = None
        self.probe: int | None = None

    @property
    def is_open(self) -> bool:
        return self.opened_at is not None and self.now < self.opened_at + SECONDS

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.allows(self.now))
    @rule()
    def begin(self) -> None:
        call = self.breaker.begin(self.now)
        self.calls.append(call)
        if self.opened_at is not None:
            self.probe = call

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 99), end=st.sampled_from(["succeed", "fail", "ignore"]))
    def end(self, which: int, end: str) -> None:
        call = self.calls.pop(which % len(self.calls))
        if call == self.probe:
            self.probe = None
        if end == "succeed":
            self.breaker.succeed(call)
            self.failures, self.opened_at = 0, None
        elif end == "fail":
            self.breaker.fail(call, self.now)
            self.failures += 1
            if self.failures >= MOST:
                self.opened_at = self.now
        else:
            self.breaker.ignore(call)

    @invariant()
    def it_lets_through_what_it_should(self) -> None:
        assert (self.breaker.state(self.now) is State.OPEN) == self.is_open
        is_half_open = self.opened_at is not None and not self.is_open
        assert self.breaker.allows(self.now) == (
            not self.is_open and not (is_half_open and self.probe is not None)
        )
        assert (self.breaker.seconds_left(self.now) > 0) == self.is_open


BreakerMachine.TestCase.settings = settings(max_examples=examples(100), deadline=None)
TestBreaker = BreakerMachine.TestCase


def test_refusals_and_cancelled_calls_never_open_it() -> None:
    breaker = Breaker(MOST, SECONDS)
    for _ in range(10):
        breaker.succeed(breaker.begin(0.0))
        breaker.ignore(breaker.begin(0.0))
    assert breaker.state(0.0) is State.CLOSED


def test_half_open_lets_exactly_one_through_and_a_cancelled_one_makes_room() -> None:
    breaker = Breaker(MOST, SECONDS)
    for _ in range(MOST):
        breaker.fail(breaker.begin(0.0), 0.0)
    assert not breaker.allows(9.9)
    probe = breaker.begin(10.0)
    assert not breaker.allows(99.0)
    breaker.ignore(probe)
    assert breaker.allows(99.0)
