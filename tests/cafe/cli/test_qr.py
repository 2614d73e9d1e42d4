"""`cafe qr`: what is printed and what is written is the code of the address, square by square."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import segno

from tests.cafe.cli.running import run_command

HERE = "http://localhost:8080/"
ADDRESS = "https://cafe.example/"
BORDER = 4
SVG = "{http://www.w3.org/2000/svg}"
Squares = list[list[bool]]
"""Row by row, whether a square is dark; with the white border."""


def squares_of(address: str) -> Squares:
    """Return the code that an address has."""
    code = segno.make_qr(address, error="m")
    return [[bool(dark) for dark in row] for row in code.matrix_iter(border=BORDER)]


def read_blocks(lines: list[str]) -> Squares:
    """Return the code in lines of half blocks, which are what is white."""
    halves = [("█▀", "█▄")[half] for half in range(2)]
    rows = [[c not in white for c in line] for line in lines for white in halves]
    return rows[: len(rows[0])]  # a line has two rows; the last one has only one


def read_svg(file: Path) -> Squares:
    """Return the code in a picture: its dark squares are lines of one unit's width."""
    root = ET.parse(file).getroot()  # noqa: S314 - we have written it
    size = int(root.attrib["viewBox"].split()[-1])
    rows = [[False] * size for _ in range(size)]
    line = root.find(f".//{SVG}path[@class='qrline']")
    assert line is not None
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", line.attrib["d"]):
        values = [float(one) for one in numbers.split()]
        if command == "h":
            rows[int(y)][int(x) : int(x + values[0])] = [True] * int(values[0])
            x += values[0]
        else:
            x, y = (x + values[0], y + values[1]) if command == "m" else values
    return rows


def test_the_terminal_shows_the_code_of_this_machine_and_that_no_phone_reaches_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["qr"]) == 0
    *blocks, address, advice = capsys.readouterr().out.splitlines()
    assert read_blocks(blocks) == squares_of(HERE)
    assert address == HERE
    assert "CAFE_PUBLIC_URL" in advice


@pytest.mark.parametrize("given", ["https://cafe.example", ADDRESS])
def test_the_address_is_that_of_the_settings_or_the_one_that_is_given(
    given: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_command(["qr", given]) == 0
    by_argument = capsys.readouterr().out
    monkeypatch.setenv("CAFE_PUBLIC_URL", given)
    assert run_command(["qr"]) == 0
    assert capsys.readouterr().out == by_argument
    *blocks, address = by_argument.splitlines()
    assert read_blocks(blocks) == squares_of(ADDRESS)
    assert address == ADDRESS
    monkeypatch.setenv("CAFE_PUBLIC_URL", "")
    assert run_command(["qr"]) == 0
    assert HERE in capsys.readouterr().out


def test_a_picture_has_the_same_code_and_its_address_as_title(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "code.svg"
    assert run_command(["qr", f"{ADDRESS}?lang=de&a=<b>", "--svg", str(file)]) == 0
    address = f"{ADDRESS}?lang=de&a=<b>"
    assert capsys.readouterr().out == f"{file}: {address}\n"
    assert read_svg(file) == squares_of(address)
    assert ET.parse(file).getroot().findtext(f"{SVG}title") == address  # noqa: S314 - as above


class Terminal(io.TextIOWrapper):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.mark.parametrize(("encoding", "start"), [("utf-8", "\x1b[97;40m"), ("ascii", "\x1b[7m  ")])
def test_on_a_terminal_the_colours_are_the_code_s_own(
    encoding: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(raw, encoding))
    assert run_command(["qr", ADDRESS]) == 0
    sys.stdout.flush()
    *lines, address = raw.getvalue().decode(encoding).splitlines()
    assert all(line.startswith(start) and line.endswith("\x1b[0m") for line in lines)
    assert address == ADDRESS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ftp://cafe.example"], "ftp://cafe.example is not an address like"),
        ([ADDRESS + "a" * 3000], "An address of 3021 characters is too long for a QR code"),
        (["--svg", "missing/code.svg"], "missing/code.svg cannot be written: No such file"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["qr", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    assert said in line
