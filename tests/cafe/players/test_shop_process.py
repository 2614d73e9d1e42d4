"""Reading where a shop of one's own serves. That it runs is tested in tests/system."""

from __future__ import annotations

from cafe.players.shop_process import Shop, parse_addresses

PRINTED = """\
client http://127.0.0.1:43001/api/v1/client/docs
worker http://127.0.0.1:43002/api/v1/worker/docs
"""


def test_both_addresses_are_read_with_their_prefix() -> None:
    assert parse_addresses(PRINTED) == Shop(
        "http://127.0.0.1:43001/api/v1/client", "http://127.0.0.1:43002/api/v1/worker"
    )


def test_other_lines_between_them_do_not_matter() -> None:
    noisy = PRINTED.replace("worker", "12:00 info started\nworker", 1)
    assert parse_addresses(f"hello\n{noisy}") == parse_addresses(PRINTED)


def test_one_address_or_half_a_line_is_not_enough() -> None:
    for length in range(len(PRINTED) - 5):
        assert parse_addresses(PRINTED[:length]) is None
