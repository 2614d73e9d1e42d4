"""The real shop with the department of docs/extending.md in it, started as the page says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cafe.cli import INTERRUPTED
from tests.system.api import brew, order
from tests.system.shop import COMMAND, FREE_PORTS, Shop, environment, open_shop
from tests.system.until import TIMEOUT

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
IN_HOUSE = (ROOT / "cafe" / "music").exists()
"""Where the page was followed to its end; then the shop has music without the example."""
PROGRAM = COMMAND if IN_HOUSE else (sys.executable, "-m", "docs.examples.shop")


async def test_a_song_that_a_customer_wishes_for_is_played() -> None:
    with open_shop(program=PROGRAM) as shop:
        await wish_and_play(shop)
        async with shop.baristas() as operator:
            actors = (await operator.get("/actors")).json()["actors"]
    counts = {one["name"]: (one["handled"], one["refused"], one["crashed"]) for one in actors}
    assert counts["Jukebox"] == (2, 1, 0)


async def wish_and_play(shop: Shop) -> None:
    async with shop.customers() as customer, shop.baristas() as player:
        wish = {"order_id": (await order(customer))["order_id"], "song": "So What"}
        assert (await customer.post("/songs/", json=wish)).status_code == 200
        refused = await customer.post("/songs/", json=wish)
        assert (refused.status_code, refused.json()["song"]) == (409, "So What")
        played = await player.post("/songs/next/?wait=30")
        assert played.json() == {"song": "So What", "wishes": 1}
        await brew(player)


RUN = """
import os, runpy, signal, sys
# A shell makes its background jobs ignore it, and the tests may be one.
signal.signal(signal.SIGINT, signal.default_int_handler)
moment, *options = sys.argv[1:]

class Interrupter:
    def find_spec(self, module, path=None, target=None):
        if module == moment:
            os.kill(os.getpid(), signal.SIGINT)

interrupted = []

def interrupt(event, args):
    if not interrupted and (event == moment or (event == "open" and args[0] == moment)):
        interrupted.append(event)
        os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
sys.addaudithook(interrupt)
sys.argv[1:] = options
runpy.run_module("docs.examples.shop", run_name="__main__")
"""


Ended = tuple[int, bytes, bytes]
"""The exit code, and what was printed to the two streams."""


def interrupted(moment: str, folder: Path, *options: str, **settings: str) -> Ended:
    """Run the program in a folder, with Ctrl-C at an import or an event."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, moment, *FREE_PORTS, *options],
        cwd=folder,
        env={**environment(settings), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "moment", ["typer", "docs.examples.music.jukebox", "hypercorn_client.toml"]
)
def test_ctrl_c_during_the_start_prints_nothing(tmp_path: Path, moment: str) -> None:
    assert interrupted(moment, tmp_path) == (INTERRUPTED, b"", b"")
