"""How a database's address is shown to people: the whole path of a file, and no login."""

from __future__ import annotations

from pathlib import Path

import pytest

from cafe.ledger.database import shown_address

SERVER = "postgresql+psycopg"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite://", "in memory: it is lost with the process"),
        (f"{SERVER}://cafe:s3cret@db/cafe", f"{SERVER}://db/cafe"),
        (f"{SERVER}://cafe@db:6543/cafe?password=s3cret", f"{SERVER}://db:6543/cafe"),
        (f"{SERVER}:///cafe?host=/run/pg&sslpassword=s3cret", f"{SERVER}:///run/pg/cafe"),
        (f"{SERVER}://cafe:s3cret@db/cafe?shop=bar", f"{SERVER}://db/cafe (shop bar)"),
        (f"{SERVER}://cafe:a@s3cret@db/cafe", f"{SERVER}://..."),
        (f"{SERVER}://cafe:a@s3/cret@db/cafe", f"{SERVER}://..."),
        (f"{SERVER}://cafe:a%40s3cret@db/cafe", f"{SERVER}://db/cafe"),
    ],
)
def test_an_address_is_shown_without_its_login(url: str, shown: str) -> None:
    assert shown_address(url) == shown


def test_a_file_is_shown_by_its_whole_path_and_as_new_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_address("sqlite:///cafe.db") == f"sqlite:///{tmp_path}/cafe.db (new)"
    Path("cafe.db").touch()
    assert shown_address("sqlite:///cafe.db") == f"sqlite:///{tmp_path}/cafe.db"
    assert shown_address(f"sqlite:///{tmp_path}/cafe.db") == f"sqlite:///{tmp_path}/cafe.db"
