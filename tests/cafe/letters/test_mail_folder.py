"""Letters as files: whole or not at all, in the order of their names, for their owner only."""

from __future__ import annotations

import stat
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from cafe.letters.letter import WRITTEN, Answer, Kind, Letter, new_letter
from cafe.letters.mail_folder import NOT_WRITTEN, MailFolder, file_name
from tests.cafe.letters.mailroom import NOON, STATIONERY, facts_of


def letter(position: int = 7, at: float = NOON) -> Letter:
    return new_letter(
        position, "b1", Kind.RECEIVED, at, address="ada@example.org", domain="cafe.example"
    )


def content(one: Letter) -> str:
    return STATIONERY.message(one, facts_of("b1", one.address, name="Zoë"), None)


async def test_a_letter_is_a_file_that_is_read_back(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "post" / "mail")
    written = content(letter())
    assert await folder.send(letter(), written) == Answer(WRITTEN)
    (file,) = folder.path.iterdir()
    assert file.suffix == ".eml"
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert (message["To"], message["Message-ID"]) == ("ada@example.org", letter().message_id)
    assert file.read_bytes() == written.encode()


async def test_folder_and_files_are_their_owners_only(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mail")
    await folder.send(letter(), content(letter()))
    (file,) = folder.path.iterdir()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_one_that_is_written_again_takes_the_place_of_itself(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mail")
    for _ in range(2):
        assert await folder.send(letter(), content(letter())) == Answer(WRITTEN)
    assert len(list(folder.path.iterdir())) == 1


async def test_what_cannot_be_written_leaves_nothing_and_is_retried(tmp_path: Path) -> None:
    blocked = tmp_path / "mail"
    blocked.write_text("a file, and no folder")
    assert await MailFolder(blocked).send(letter(), content(letter())) == Answer(NOT_WRITTEN)
    folder = MailFolder(tmp_path / "other")
    (folder.path / file_name(letter())).mkdir(parents=True)  # which no file replaces
    assert await folder.send(letter(), content(letter())) == Answer(NOT_WRITTEN)
    assert [one.suffix for one in folder.path.iterdir()] == [".eml"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (letter(9), letter(10)),
        (letter(999_999), letter(1_000_000)),
        (letter(10, NOON), letter(2, NOON + 0.001)),
        (letter(10, 999_999_999.0), letter(11, 1_000_000_000.0)),
    ],
)
def test_names_sort_as_the_letters_came_and_are_safe(first: Letter, second: Letter) -> None:
    assert file_name(first) < file_name(second)
    assert file_name(first).replace("_", "").replace(".", "").isalnum()
