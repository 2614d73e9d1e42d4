"""How often an address may do something in an hour: compared with a list of all times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cafe.limits.last_hour import HOUR, LastHour

MOST = 3


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2_000)), max_size=30))
def test_no_address_does_more_in_any_hour_and_none_waits_longer_than_it_must(
    steps: list[tuple[str, int]],
) -> None:
    hour, let_through, now = LastHour(MOST), dict[str, list[float]](a=[], b=[]), 0.0
    for address, pause in steps:
        now += pause
        lately = [one for one in let_through[address] if one + HOUR > now]
        wait = hour.seconds_until_room(address, now)
        assert wait == (lately[-MOST] + HOUR - now if len(lately) >= MOST else 0.0)
        if not wait:
            hour.add(address, now)
            let_through[address].append(now)


def test_addresses_beyond_the_most_share_a_count_until_old_ones_are_forgotten() -> None:
    hour = LastHour(1, most_addresses=2)
    hour.add("a", 0.0)
    hour.add("b", 0.0)
    hour.add("c", 1.0)
    assert hour.seconds_until_room("d", 1.0) == HOUR
    hour.add("a", HOUR + 1)  # which drops what the others have
    assert hour.seconds_until_room("d", HOUR + 1) == 0.0
    assert hour.seconds_until_room("a", HOUR + 1) == HOUR
