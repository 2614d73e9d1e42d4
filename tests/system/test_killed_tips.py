"""A shop with the second department of docs/extending.md in it, killed at full speed."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cafe.ledger.postgres import PostgresServer
from tests.extending import move_in
from tests.system.shop import environment


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the project that has the departments of the page."""
    folder = tmp_path_factory.mktemp("tree")
    move_in(folder)
    return folder


def run(tree: Path, *command: str, url: str) -> str:
    """Run a module of the copy, and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tree,
        env=environment({"database_url": url}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kill_and_look(tree: Path, url: str, kills: int) -> str:
    """Kill a shop so often; what its customers heard and what its tables say is held together."""
    seed = str(secrets.randbelow(2**32))
    said = run(tree, "tests.tips.killing", url, f"--kills={kills}", f"--seed={seed}", url=url)
    assert f"kills {kills}, " in said
    return said


def test_every_tip_that_was_acknowledged_outlives_each_kill_and_is_paid_once(
    tree: Path, tmp_path: Path
) -> None:
    kill_and_look(tree, f"sqlite:///{tmp_path}/cafe.db", kills=3)


def test_every_tip_that_was_acknowledged_outlives_a_kill_on_postgresql(
    tree: Path, postgresql_server: PostgresServer
) -> None:
    url = postgresql_server.url(postgresql_server.new_database())
    run(tree, "cafe", "db", "upgrade", url=url)
    kill_and_look(tree, url, kills=1)
