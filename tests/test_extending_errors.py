"""The table of errors in docs/extending.md, and the mistakes that cause them.

Rule: each text of the table is caused here, by the mistake in its row, in the page's own actor. Of
a type checker's message only the line and the code are compared.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import mypy.api
import pytest
import trio

from actors import ActorCrashed, ActorError, Message, Ref, open_system
from actors.testing import Probe
from cafe.http.app import create_app
from cafe.http.refusals import Closing
from cafe.orders.department import ORDERS
from cafe.orders.dispatcher import Dispatcher, Rules
from cafe.shop.shop import RESTART
from docs.examples.music.customer_api import customer_routes
from docs.examples.music.jukebox import Jukebox
from docs.examples.music.messages import ListSongs, NextSong, Wish
from tests.cafe.orders.counter import open_ledger
from tests.extending import PAGE, ROOT, Workshop

TABLE = PAGE.read_text("utf-8").partition("\n## What goes wrong")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| .* \| `([^`]*)` \|$", TABLE, re.MULTILINE)
CHECKED = re.findall(r"^\| .* \| `([^`]*)` at `([^`]*)` \|$", TABLE, re.MULTILINE)
LIST = "        return self._playlist.songs()\n"
KEEP = "self._players[reply] = self.after(hold, partial(self._send_nothing, reply))"
MAILBOX = 10_000


Scenario = Callable[[Workshop], Awaitable[str]]
SCENARIOS: dict[str, Scenario] = {}


def says(text: str) -> Callable[[Scenario], Scenario]:
    """Register a message that has to appear."""

    def register(scenario: Scenario) -> Scenario:
        SCENARIOS[text] = scenario
        return scenario

    return register


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    made = Workshop(tmp_path)
    monkeypatch.delitem(sys.modules, made.file.stem, raising=False)
    return made


@pytest.mark.parametrize(("text", "scenario"), SCENARIOS.items())
async def test_the_toolkit_says_what_the_table_says(
    text: str, scenario: Scenario, workshop: Workshop
) -> None:
    assert await scenario(workshop) == text


def test_the_table_has_a_row_for_each_mistake_and_no_other() -> None:
    assert sorted(ROWS) == sorted(SCENARIOS)


async def said_by_start(jukebox: Any) -> str:
    """Return why an actor is not started."""
    async with open_system() as system:
        with pytest.raises(ActorError) as refused:
            await system.start(partial(jukebox, Probe(Dispatcher), Closing()), name="Jukebox")
        return str(refused.value)


async def said_by_ask(wrong: Any, message: Any) -> BaseException:
    """Return what an ask raises."""
    async with open_system() as system:
        jukebox = await system.start(
            partial(wrong.Jukebox, Probe(Dispatcher), Closing()), name="Jukebox"
        )
        with pytest.raises(ActorError) as failed:
            await jukebox.ask(message)
        return failed.value


def test_type_checkers_find_a_wrong_answer_and_a_wrong_owner(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.write(
        (
            "message: Withdraw) -> None:\n",
            "message: Withdraw) -> bool:\n        return True\n",
        ),
        ("FindOrder(message.order_id)", "Withdraw(message.order_id)"),
    )
    monkeypatch.chdir(ROOT)  # where mypy finds its settings
    said, _, _ = mypy.api.run(["--no-error-summary", "--no-pretty", str(workshop.file)])
    lines = workshop.file.read_text("utf-8").splitlines()
    found = re.findall(r"wrong_jukebox\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    assert {(code, lines[int(number) - 1].strip()) for number, code in found} == set(CHECKED)


@says("Jukebox handles Withdraw twice: withdraw, list_songs")
async def two_handlers_take_one_message(workshop: Workshop) -> str:
    with pytest.raises(TypeError) as refused:
        workshop.make("@ListSongs.handler", "@Withdraw.handler")
    return str(refused.value)


@says("Jukebox.next_song is deferred, and so must be a plain def")
async def a_deferred_handler_is_async(workshop: Workshop) -> str:
    with pytest.raises(TypeError) as refused:
        workshop.make("def next_song", "async def next_song")
    return str(refused.value)


@says("Jukebox sets a timer before it is started; do it in on_start")
async def a_timer_is_set_too_early(workshop: Workshop) -> str:
    right = "        self._playlist = Playlist()\n"
    wrong = workshop.make(right, f"{right}        self.every(60, self._hand_out)\n")
    return await said_by_start(wrong.Jukebox)


@says("Jukebox crashed")
async def a_handler_raises_what_is_no_refusal(workshop: Workshop) -> str:
    wrong = workshop.make(LIST, '        raise KeyError("So What")\n')
    crash = await said_by_ask(wrong, ListSongs())
    assert isinstance(crash, ActorCrashed)
    assert isinstance(crash.__cause__, KeyError)
    return str(crash)


@says("Something went wrong here; it has been logged.")
async def a_route_asks_an_actor_that_crashes(_workshop: Workshop) -> str:
    jukebox = Probe(Jukebox)
    jukebox.answer(ListSongs, ActorCrashed("Jukebox"))
    app = create_app(
        [customer_routes(jukebox)], title="t", description="d", version="1", prefix="/a"
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as customer:
        response = await customer.get("/songs/")
    assert response.status_code == 500
    said: str = response.json()["detail"]
    return said


@says("Jukebox crashed more than 5 times within 60 s")
async def it_goes_on_crashing(workshop: Workshop) -> str:
    wrong = workshop.make(LIST, '        raise KeyError("So What")\n')

    async def ask_often() -> None:
        async with open_system() as system:
            make = partial(wrong.Jukebox, Probe(Dispatcher), Closing())
            jukebox: Ref[Any] = await system.start(make, name="Jukebox", restart=RESTART)
            for _ in range(RESTART.limit + 1):
                with suppress(ActorCrashed):
                    await jukebox.ask(ListSongs())
            await trio.sleep_forever()

    with pytest.raises(ActorError) as ended:
        await ask_often()
    return str(ended.value)


@says("Jukebox dropped its reply to NextSong")
async def a_reply_is_not_kept(workshop: Workshop) -> str:
    wrong = workshop.make(KEEP, "return")
    return str(await said_by_ask(wrong, NextSong()))


@says("the mailbox of Jukebox is full: 10000 messages")
async def more_is_sent_than_there_is_room_for(_workshop: Workshop) -> str:
    async with open_system() as system:
        make = partial(Jukebox, Probe(Dispatcher), Closing())
        jukebox = await system.start(make, name="Jukebox", mailbox=MAILBOX)
        for _ in range(MAILBOX):
            jukebox.tell_nowait(ListSongs())
        with pytest.raises(ActorError) as refused:
            jukebox.tell_nowait(ListSongs())
        return str(refused.value)


@says("Jukebox has stopped")
async def an_actor_is_asked_that_has_stopped(_workshop: Workshop) -> str:
    async with open_system() as system:
        jukebox = await system.start(partial(Jukebox, Probe(Dispatcher), Closing()), name="Jukebox")
    with pytest.raises(ActorError) as refused:
        await jukebox.ask(ListSongs())
    return str(refused.value)


@dataclass(frozen=True, slots=True)
class Sing(Message["Wishing", None]):
    """Wish for a song, within a turn of the Dispatcher."""

    jukebox: Ref[Jukebox]


class Wishing(Dispatcher):
    """A Dispatcher that asks the Jukebox, which asks it in turn."""

    @Sing.handler
    async def sing(self, message: Sing) -> None:
        await message.jukebox.ask(Wish("o1", "So What"))


@says("Jukebox -> Dispatcher -> Jukebox")
async def two_actors_ask_each_other(_workshop: Workshop) -> str:
    async with open_ledger() as ledger, open_system() as system:
        load = partial(ledger.open, ORDERS)
        make = partial(Wishing, Rules(), ledger.now, load, await load(), Closing())
        dispatcher = await system.start(make, name="Dispatcher")
        jukebox = await system.start(partial(Jukebox, dispatcher, Closing()), name="Jukebox")
        with pytest.raises(ActorCrashed) as crash:
            await dispatcher.ask(Sing(jukebox))
        asked = crash.value.__cause__
        assert isinstance(asked, ActorCrashed)
        return str(asked.__cause__)
