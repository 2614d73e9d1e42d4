"""The page behind a letter's link, as programs that scan mails and as people use it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import httpx
import pytest
import trio

from cafe.bookings import pages
from cafe.bookings.booking import Action, Guest, Status
from cafe.bookings.desk import new_id
from cafe.bookings.messages import AskForTable, Found
from cafe.bookings.period import Period, read_time
from cafe.bookings.tokens import LEAST_AGE, MOST_AGE, BookingTokens
from tests.cafe.bookings.hall import HOUR, Hall, addresses, evening, id_of, open_hall
from tests.cafe.ledger.owner import ROOT

pytestmark = pytest.mark.schedules(1)

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-type": "text/html; charset=utf-8",
}


class Page(HTMLParser):
    """The parts of a page that matter: its form, its texts, and what it would load or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.text = ""
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        members = {name: value or "" for name, value in attrs}
        self.links += [members[name] for name in ("src", "href") if name in members]
        if tag == "form":
            assert members["method"] == "post"
            self.action = members["action"]
        if tag == "input":
            self.fields[members["name"]] = members["value"]

    def handle_data(self, data: str) -> None:
        self.text += data


@dataclass
class Letter:
    """What a guest has: a link."""

    hall: Hall
    client: httpx.AsyncClient
    found: Found

    @property
    def path(self) -> str:
        return f"/bookings/{id_of(self.found)}/cancel"

    @property
    def token(self) -> str:
        return self.hall.desk.tokens.token_of(id_of(self.found))

    async def follow(self, method: str = "GET", token: str | None = None) -> httpx.Response:
        return await self.client.request(method, self.path, params={"token": token or self.token})

    async def press(self, page: Page, **members: str) -> httpx.Response:
        return await self.client.post(page.action, data={**page.fields, **members})

    async def status(self) -> Status:
        return await self.hall.status(self.found)


async def letter(hall: Hall, client: httpx.AsyncClient, hours: float = 5) -> Letter:
    return Letter(hall, client, await hall.request(await hall.add_table(), evening(hours)))


async def test_a_reader_follows_the_link_and_presses_the_button() -> None:
    async with open_hall() as hall, hall.visited(**BROWSER) as client:
        mail = await letter(hall, client)
        asked = await mail.follow()
        page = Page(asked.text)
        assert asked.status_code == 200
        assert {name: asked.headers[name] for name in HEADERS} == HEADERS
        assert "Cancel your booking?" in page.text
        assert "Table 1 (regular, 4 seats), for 2: Wednesday 18 November 2026, 17:06 (CET)" in (
            page.text
        )
        await trio.sleep(3)
        done = await mail.press(page)
        assert (done.status_code, await mail.status()) == (200, Status.CANCELLED)
        assert {name: done.headers[name] for name in HEADERS} == HEADERS
        assert "Your booking is cancelled" in done.text
        assert Page(done.text).action == ""


async def test_no_page_has_scripts_or_anything_from_elsewhere_and_its_style_is_let_in() -> None:
    async with open_hall() as hall, hall.visited(**BROWSER) as client:
        mail = await letter(hall, client)
        for response in (await mail.follow(), await mail.follow(token="wrong")):
            page = Page(response.text)
            assert page.tags <= {
                "html", "head", "meta", "title", "style", "body", "main", "h1", "p", "form",
                "input", "button",
            }  # fmt: skip
            assert page.links == []
            policy = response.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert policy.endswith("form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
            assert f"<style>{pages.STYLE}</style>" in response.text


async def test_a_scanner_follows_the_link_as_often_as_it_likes_and_changes_nothing() -> None:
    async with open_hall() as hall, hall.visited() as client:
        mail = await letter(hall, client)
        before = len(hall.store.logged)
        for method in ("HEAD", "GET") * 5:
            assert (await mail.follow(method)).status_code == 200
        assert (await mail.follow("OPTIONS")).status_code == 204
        for method in ("PUT", "PATCH", "DELETE"):
            assert (await mail.follow(method)).status_code == 405
        assert len(hall.store.logged) == before
        assert await mail.status() is Status.REQUESTED


@pytest.mark.parametrize("seconds", [0.1, LEAST_AGE - 0.1, MOST_AGE + 0.1])
async def test_a_button_that_is_pressed_at_once_or_late_has_to_be_pressed_again(
    seconds: float,
) -> None:
    async with open_hall() as hall, hall.visited(**BROWSER) as client:
        mail = await letter(hall, client)
        page = Page((await mail.follow()).text)
        await trio.sleep(seconds)
        refused = await mail.press(page)
        assert (refused.status_code, await mail.status()) == (409, Status.REQUESTED)
        again = Page(refused.text)
        assert "press the button once more" in again.text
        assert again.fields["form"] != page.fields["form"]
        await trio.sleep(LEAST_AGE)
        assert (await mail.press(again)).status_code == 200
        assert await mail.status() is Status.CANCELLED


async def test_a_program_that_wants_no_page_gets_problems() -> None:
    async with open_hall() as hall, hall.visited() as client:
        mail = await letter(hall, client)
        page = Page((await mail.follow()).text)
        refused = [await mail.press(page), await mail.follow(token="wrong")]
        assert [one.status_code for one in refused] == [409, 404]
        assert {one.headers["content-type"] for one in refused} == {"application/problem+json"}


async def test_only_the_form_of_this_booking_is_let_in() -> None:
    async with open_hall() as hall, hall.visited(**BROWSER) as client:
        mail, other = await letter(hall, client), await letter(hall, client)
        page, of_other = Page((await mail.follow()).text), Page((await other.follow()).text)
        await trio.sleep(3)
        form = page.fields["form"]
        made_up = form[:-1] + ("y" if form.endswith("x") else "x")
        earlier = str(int(form.partition(".")[0]) - 1)
        moved = earlier + form[len(earlier) :]
        for value in (of_other.fields["form"], made_up, moved, mail.token, "1"):
            assert (await mail.press(page, form=value)).status_code == 409
        assert (await mail.press(page, token=other.token)).status_code == 404
        bodies: list[dict[str, Any]] = [
            {"data": {"token": mail.token}},
            {"data": {"token": mail.token, "form": ""}},
            {"data": {**page.fields, "more": "1"}},
            {"json": page.fields},
            {"content": b""},
        ]
        for body in bodies:
            assert (await client.post(mail.path, **body)).status_code == 422
        assert await mail.status() is Status.REQUESTED
        foreign = await client.post(page.action, data=page.fields, headers={"Origin": "null"})
        assert foreign.status_code == 200


async def test_a_link_that_does_not_work_or_not_any_longer_always_leads_to_the_same() -> None:
    async with open_hall() as hall, hall.visited(**BROWSER) as client:
        letters = {name: await letter(hall, client) for name in ("cancelled", "declined", "kept")}
        letters["begun"] = await letter(hall, client, 2)
        await hall.decide(letters["begun"].found, Action.ACCEPT)
        await hall.decide(letters["declined"].found, Action.DECLINE)
        await hall.decide(letters["cancelled"].found, Action.CANCEL)
        old = {name: Page((await one.follow()).text) for name, one in letters.items()}
        letters["expired"] = await letter(hall, client, 1.5)
        await trio.sleep(2 * HOUR)
        seen = [await letters[name].follow() for name in letters if name != "kept"]
        seen += [
            await letters["kept"].follow(token="wrong"),
            # What mail programs make of a link: the bracket behind it, the line's end, all twice.
            await letters["kept"].follow(token=f"{letters['kept'].token})"),
            await letters["kept"].follow(token=f"{letters['kept'].token} "),
            await letters["kept"].follow(token=3 * letters["kept"].token),
            await client.post(letters["kept"].path, data={"token": "wrong>", "form": "1"}),
            await letters["kept"].follow(token=letters["begun"].token),
            await client.get("/bookings/none/cancel", params={"token": "wrong"}),
            await client.get(letters["kept"].path),
        ]
        for one in letters.values():
            form = {"token": one.token, "form": "1"}
            if one is not letters["kept"]:
                seen.append(await client.post(one.path, data=form))
        assert {(one.status_code, one.text) for one in seen} == {(404, seen[0].text)}
        assert {name: seen[0].headers[name] for name in HEADERS} == HEADERS
        assert old["kept"].fields
        assert (await letters["kept"].follow()).status_code == 200
        # As long as it takes: it works for what is accepted, too, until it begins.
        await hall.decide(letters["kept"].found, Action.ACCEPT)
        assert (await letters["kept"].follow()).status_code == 200
        await trio.sleep(3 * HOUR)
        assert (await letters["kept"].follow()).status_code == 404


async def test_a_booking_that_ends_while_the_page_is_open_leads_there_as_well() -> None:
    async with open_hall() as hall, hall.visited(**BROWSER) as client:
        mail = await letter(hall, client)
        page = Page((await mail.follow()).text)
        await trio.sleep(3)
        await hall.decide(mail.found, Action.DECLINE)
        assert (await mail.press(page)).text == (await mail.follow(token="wrong")).text


async def test_nothing_that_a_guest_wrote_is_on_the_page() -> None:
    async with open_hall() as hall, hall.visited(**BROWSER) as client:
        table = await hall.add_table()
        guest = Guest("ada@example.com", "+4930", "<b onclick=x>Ada</b>")
        wish = AskForTable(new_id(), table.table_id, evening(5), 2, guest, addresses())
        mail = Letter(hall, client, await hall.desk.ask(wish))
        text = (await mail.follow()).text
        assert not re.search("Ada|ada|onclick|4930", text)


def test_a_period_in_words_names_the_zone_and_both_clocks() -> None:
    night = Period(read_time("2027-10-30T23:00:00+02:00"), read_time("2027-10-31T04:00:00+01:00"))
    assert pages.spoken(night, ZoneInfo("Europe/Berlin")) == (
        "Saturday 30 October 2027, 23:00 (CEST) to Sunday 31 October 2027, 04:00 (CET), "
        "Europe/Berlin"
    )


def test_tokens_are_of_one_booking_and_one_house_and_show_no_secret() -> None:
    ours, others = BookingTokens(b"a" * 32), BookingTokens(b"b" * 32)
    assert ours.is_right("b1", ours.token_of("b1"))
    for token in (ours.token_of("b2"), others.token_of("b1"), "", None, ours.token_of("b1") + "="):
        assert not ours.is_right("b1", token)
    value = ours.form_value("b1", 100.0)
    assert [ours.is_ripe("b1", value, at) for at in (101.9, 102.0, 3700.0, 3700.1, 99.0)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert not ours.is_ripe("b2", value, 110.0)
    assert not ours.is_right("b1", value)
    assert "aaaa" not in repr(ours)
    assert not ours.is_right("\ud800", "\ud800")


@pytest.mark.once
def test_the_wheel_holds_the_page(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert "cafe/bookings/templates/cancel.html" in ZipFile(wheel).namelist()
