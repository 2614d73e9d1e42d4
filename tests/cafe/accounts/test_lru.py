"""What a bounded table forgets."""

from __future__ import annotations

from cafe.accounts.lru import Lru


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    table = Lru[str, int](2)
    table.put("a", 1)
    table.put("b", 2)
    assert table.get("a") == 1
    table.put("c", 3)
    assert ("a" in table, "b" in table, "c" in table) == (True, False, True)
    table.drop("a")
    table.drop("never there")
    assert (table.get("a"), len(table)) == (None, 1)
