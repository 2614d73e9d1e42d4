"""How often one may try to sign in."""

from __future__ import annotations

import pytest

from cafe.accounts.throttle import (
    ACCOUNT_TRIES,
    ADDRESS_TRIES,
    PAIR_TRIES,
    WINDOW_SECONDS,
    TooManyError,
    Tries,
)


def fail(tries: Tries, account: str, address: str, times: int = 1, now: float = 0.0) -> None:
    for _ in range(times):
        is_known = tries.begin(account, address, now)
        tries.end(account, address, now, is_known=is_known, right=False)


def succeed(tries: Tries, account: str, address: str, now: float = 0.0) -> None:
    is_known = tries.begin(account, address, now)
    tries.end(account, address, now, is_known=is_known, right=True)


def attacked(tries: Tries, account: str = "ada") -> None:
    """Let many addresses fail at an account."""
    for number in range(ACCOUNT_TRIES):
        fail(tries, account, f"10.0.0.{number}")


def test_an_address_has_ten_failed_tries_for_an_account() -> None:
    tries = Tries()
    fail(tries, "ada", "1", PAIR_TRIES)
    with pytest.raises(TooManyError) as too_many:
        tries.begin("ada", "1", 0.0)
    assert 0 < too_many.value.wait <= 2 * WINDOW_SECONDS
    fail(tries, "bo", "1")
    fail(tries, "ada", "2")
    fail(tries, "ada", "1", now=too_many.value.wait + 0.001)


def test_an_address_has_fifty_failed_tries_for_all_accounts() -> None:
    tries = Tries()
    for number in range(ADDRESS_TRIES):
        fail(tries, f"user {number}", "1")
    with pytest.raises(TooManyError):
        tries.begin("another", "1", 0.0)
    fail(tries, "another", "2")


def test_tries_that_succeed_do_not_count() -> None:
    tries = Tries()
    for number in range(10 * ADDRESS_TRIES):
        succeed(tries, f"user {number}", "1")
    for _ in range(10 * PAIR_TRIES):
        succeed(tries, "ada", "1")


def test_the_right_password_forgives_the_wrong_ones_before_it() -> None:
    tries = Tries()
    for _ in range(3):
        fail(tries, "ada", "1", PAIR_TRIES - 1)
        succeed(tries, "ada", "1")


def test_tries_under_way_count_so_a_thousand_at_once_are_not_a_thousand() -> None:
    tries = Tries()
    known = [tries.begin("ada", "1", 0.0) for _ in range(PAIR_TRIES)]
    with pytest.raises(TooManyError):
        tries.begin("ada", "1", 0.0)
    for one in known:
        tries.end("ada", "1", 0.0, is_known=one, right=None)
    fail(tries, "ada", "1", PAIR_TRIES)  # those that were not made left nothing


def test_an_account_that_is_attacked_from_everywhere_slows_strangers_and_refuses_nobody() -> None:
    tries = Tries()
    attacked(tries)
    fail(tries, "ada", "a stranger")
    with pytest.raises(TooManyError):
        tries.begin("ada", "a stranger", 0.0)
    succeed(tries, "ada", "the owner's new phone")  # its one try is the right one
    fail(tries, "ada", "the owner's new phone", PAIR_TRIES)


def test_an_owner_whose_address_is_known_has_all_tries_during_an_attack() -> None:
    tries = Tries()
    succeed(tries, "ada", "home")
    attacked(tries)
    fail(tries, "ada", "home", PAIR_TRIES - 1)
    succeed(tries, "ada", "home")


def test_neighbours_behind_one_address_cannot_keep_an_owner_out() -> None:
    tries = Tries()
    succeed(tries, "ada", "shared")
    for number in range(ADDRESS_TRIES):
        fail(tries, f"user {number}", "shared")
    with pytest.raises(TooManyError):
        tries.begin("bo", "shared", 0.0)
    succeed(tries, "ada", "shared")


def test_a_pair_that_becomes_known_while_a_try_is_under_way_leaves_nothing_counted() -> None:
    tries = Tries()
    for _ in range(3 * ADDRESS_TRIES):
        first, second = tries.begin("ada", "1", 0.0), tries.begin("ada", "1", 0.0)
        tries.end("ada", "1", 0.0, is_known=first, right=True)
        tries.end("ada", "1", 0.0, is_known=second, right=True)
    fail(tries, "bo", "1", PAIR_TRIES)


def test_strangers_who_fill_the_table_do_not_refuse_an_address_that_is_known() -> None:
    tries = Tries(most=20)
    succeed(tries, "ada", "home")
    for number in range(200):
        try:
            fail(tries, f"user {number}", f"10.0.0.{number}")
        except TooManyError:
            break
    fail(tries, "ada", "home", PAIR_TRIES - 1)
    succeed(tries, "ada", "home")
