"""The players' commands with real shops and real sockets."""

from __future__ import annotations

import subprocess
import sys

SMALL_RUSH = ("--regulars", "20", "--groups", "10-20", "--speed", "200", "--attack", "10")


def cafe(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cafe", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_small_rush_serves_every_regular_and_prints_what_the_attacker_got() -> None:
    rush = cafe("rush", *SMALL_RUSH)
    assert rush.returncode == 0, rush.stderr
    lines = rush.stdout.splitlines()
    [served] = [line for line in lines if "got their coffee (200)" in line]
    assert served.split()[-6:] == ["20", "of", "20"] * 2
    assert any("The attacker, 127.0.0.66, ordered 10 at once" in line for line in lines)


def test_customers_without_a_shop_are_one_line_and_exit_code_1() -> None:
    nobody = cafe("customers", "1", "--url", "http://127.0.0.1:1", "--retry-for", "0.1")
    assert nobody.returncode == 1
    assert nobody.stdout == ""
    [line] = nobody.stderr.splitlines()
    assert "127.0.0.1:1" in line
