"""Families of refresh tokens, against a naive model that keeps every token with its first use."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cafe.accounts.sign_in import (
    GRACE_SECONDS,
    MOST_BEFORE,
    NeverIssuedError,
    SignIn,
    SignInStatus,
    keep,
    present,
    revoke,
    sign_out,
    start,
)


def begun(now: float = 0.0) -> SignIn:
    return start("s", "a", "customer", 0, now).sign_in


def rotated(sign_in: SignIn, now: float) -> SignIn:
    given = present(sign_in, sign_in.generation, now)
    assert given is not None
    assert given.change is not None
    return given.change.sign_in


def test_the_current_token_gets_its_successor() -> None:
    given = present(begun(), 0, 5.0)
    assert given is not None
    assert (given.generation, given.issued_at) == (1, 5.0)
    assert given.change is not None


def test_a_spent_token_whose_successor_is_unused_gets_it_again_whenever_it_comes() -> None:
    sign_in = rotated(begun(), 5.0)
    assert present(sign_in, 0, 1e6) == (1, 5.0, None)


@pytest.mark.parametrize(("seconds", "is_given"), [(0.0, True), (10.0, True), (10.001, False)])
def test_a_spent_token_gets_its_successor_for_ten_seconds_after_that_was_used(
    seconds: float, *, is_given: bool
) -> None:
    sign_in = rotated(rotated(begun(), 5.0), 100.0)
    given = present(sign_in, 0, 100.0 + seconds)
    assert given == ((1, 5.0, None) if is_given else None)


def test_a_client_that_refreshes_again_and_again_has_ten_seconds_for_each_token() -> None:
    sign_in = rotated(rotated(rotated(begun(), 1.0), 2.0), 3.0)
    assert present(sign_in, 0, 12.0) == (1, 1.0, None)
    assert present(sign_in, 0, 12.5) is None
    assert present(sign_in, 1, 12.5) == (2, 2.0, None)


def test_few_times_are_kept_however_often_a_client_refreshes() -> None:
    often = seldom = begun()
    for number in range(1, 200):
        often, seldom = rotated(often, number / 100), rotated(seldom, number * 60.0)
    assert (len(often.before), len(seldom.before)) == (MOST_BEFORE, 1)
    assert present(often, often.generation - MOST_BEFORE, 2.0) is not None
    assert present(often, often.generation - MOST_BEFORE - 2, 2.0) is None


@pytest.mark.parametrize("generation", [1, 2, 10**20, -1])
def test_a_token_that_was_never_issued_changes_nothing(generation: int) -> None:
    with pytest.raises(NeverIssuedError):
        present(begun(), generation, 1.0)


def test_a_sign_in_that_has_ended_has_its_time() -> None:
    for change in (revoke(begun(), 7.0), sign_out(begun(), 7.0)):
        assert (change.sign_in.status, change.sign_in.ended_at) == (SignInStatus.SIGNED_OUT, 7.0)
    assert keep(begun(), 3, 7.0).sign_in.epoch == 3


class Families(RuleBasedStateMachine):
    """Tokens are presented in any order, at any time."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.sign_in = begun()
        self.issued_at = [0.0]
        """Of each generation."""
        self.first_used = dict[int, float]()
        self.is_revoked = False

    @rule(seconds=st.sampled_from([0.0, 0.5, 9.5, 10.0, 10.5, 3600.0]))
    def let_pass(self, seconds: float) -> None:
        self.now += seconds

    @rule(behind=st.integers(0, 5))
    def present(self, behind: int) -> None:
        generation = len(self.issued_at) - 1 - behind
        if generation < 0 or self.is_revoked:
            return
        given = present(self.sign_in, generation, self.now)
        expected = self.expected(generation)
        if expected is None:
            assert given is None
            self.is_revoked = True
            self.sign_in = revoke(self.sign_in, self.now).sign_in
            return
        assert given is not None
        assert (given.generation, given.issued_at) == (expected, self.issued_at[expected])
        if given.change is not None:
            self.sign_in = given.change.sign_in

    def expected(self, generation: int) -> int | None:
        """Return the generation that is to be given; None if the sign-in is to be revoked."""
        successor = generation + 1
        if generation not in self.first_used:
            self.first_used[generation] = self.now
            self.issued_at.append(self.now)
            return successor
        used = self.first_used.get(successor)
        if used is None or self.now - used <= GRACE_SECONDS:
            return successor
        return None

    @invariant()
    def the_newest_token_is_the_current_one(self) -> None:
        if not self.is_revoked:
            assert self.sign_in.generation == len(self.issued_at) - 1
            assert self.sign_in.issued_at == self.issued_at[-1]


TestFamilies = Families.TestCase
