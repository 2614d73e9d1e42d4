"""Letters of the real shop, to a real mail server, and the link in them as it is followed."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from tests.system.guests import form_in, link_in, mail_command, text_of, visiting
from tests.system.killing import db_check
from tests.system.mail_server import HOST, Inbox, open_inbox
from tests.system.shop import FREE_PORTS, Shop, open_shop
from tests.system.until import until, until_asked

pytestmark = [
    pytest.mark.once,
    # aiosmtpd's, of servers that take a login without TLS.
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),
]

PUBLIC = "https://cafe.example"
ADA, BOB = "ada@example.org", "bob@example.org"
RECEIVED, ACCEPTED = "We have received your request for a table", "Your table is booked"
DECLINED, CANCELLED = "We cannot offer you the table", "Your booking is cancelled"


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return the URL of an empty ledger, for what the mail server alone decides."""
    return f"sqlite:///{tmp_path}/cafe.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, file: str) -> str:
    """Return the URL of an empty ledger."""
    return str(request.getfixturevalue("postgresql")) if request.param == "postgresql" else file


@contextmanager
def open_writing(url: str, inbox: Inbox, *, login: str = "", exit_code: int = 0) -> Generator[Shop]:
    """Open a shop that sends letters to a mail server."""
    with open_shop(
        FREE_PORTS,
        exit_code=exit_code,
        database_url=url,
        smtp_url=f"smtp://{login}{HOST}:{inbox.port}",
        mail_from="Café <cafe@cafe.example>",
        public_url=PUBLIC,
        time_zone="Europe/Berlin",
    ) as shop:
        yield shop


async def test_a_guest_gets_a_letter_for_each_step_and_cancels_by_the_link(url: str) -> None:
    with open_inbox() as inbox, open_writing(url, inbox) as shop:
        async with visiting(shop) as house:
            table = await house.add_table()
            ada = await house.ask_for(table, ADA, name="Zoë")
            bob = await house.ask_for(table, BOB)
            await until(lambda: len(inbox.taken) == 2)
            await house.decide(ada, "accept")  # which declines the other
            await until(lambda: len(inbox.taken) == 4)
            message = inbox.taken[-2 if inbox.taken[-2][0] == ADA else -1][1]
            path, query = link_in(message)
            # A mail scanner: it follows the link, however often.
            for _ in range(3):
                assert (await house.guest.head(path, params=query)).status_code == 200
                assert (await house.guest.get(path, params=query)).status_code == 200
            assert await house.status(ada) == "accepted"
            # A reader: presses the button, at once and then again.
            form = form_in((await house.guest.get(path, params=query)).text)

            async def is_cancelled() -> bool:
                return (await house.guest.post(path, data=form)).is_success

            assert not await is_cancelled()
            await until_asked(is_cancelled)
            assert await house.status(ada) == "cancelled"
            assert await house.status(bob) == "declined"
            await until(lambda: len(inbox.taken) == 5)
            await house.has_letters(5, "sent")
            listed = await mail_command("list", url=url, worker=shop.worker)
        text = shop.log.text
    assert inbox.subjects(ADA) == [RECEIVED, ACCEPTED, CANCELLED]
    assert inbox.subjects(BOB) == [RECEIVED, DECLINED]
    assert "Hello Zoë," in text_of(message)
    assert "Europe/Berlin" in text_of(message)
    assert listed.count("let_") == 5
    assert await db_check(url) == 0
    for secret in (ada["token"], bob["token"], ADA, BOB):
        assert secret not in text
        assert secret not in listed.replace(ADA, "").replace(BOB, "")


async def test_a_bad_address_delays_no_other_and_is_told_by_its_outcome(file: str) -> None:
    with open_inbox() as inbox, open_writing(file, inbox) as shop:
        inbox.answers["gone@example.org"] = ["550 5.1.1 No such user"]
        inbox.answers["later@example.org"] = ["450 4.2.0 Greylisted"]
        async with visiting(shop) as house:
            table = await house.add_table()
            for day, email in enumerate(["gone@example.org", "later@example.org", ADA, BOB], 1):
                await house.ask_for(table, email, day)
            await until(lambda: len(inbox.taken) == 2)
            await house.has_letters(1, "set_aside")
            await house.has_letters(1, "retrying")
            (gone,) = await house.letters("set_aside")
            (later,) = await house.letters("retrying")
            assert gone["attempts"][-1]["said"] == "5.1.1 No such user"
            path = f"/admin/letters/{later['letter_id']}"
            (await house.manager.post(f"{path}/retry")).raise_for_status()
            await house.has_letters(3, "sent")
            shown = (await house.manager.get(path)).json()
            assert [one["outcome"] for one in shown["attempts"]] == ["450", "250"]
            assert await shop.metric('cafe_letters{state="set_aside"}') == 1
            printed = await mail_command("show", gone["letter_id"], url=file, worker=shop.worker)
    assert "550 5.1.1 No such user" in printed
    assert f"{PUBLIC}/bookings/{gone['booking_id']}/cancel?token=***" in printed
    assert sorted(address for address, _ in inbox.taken) == [ADA, BOB, "later@example.org"]


async def test_a_refused_login_is_retried_and_its_password_is_not_logged(file: str) -> None:
    login = "cafe:sesame-0pen@"
    with open_inbox(login=True) as inbox, open_writing(file, inbox, login=login) as shop:
        async with visiting(shop) as house:
            await house.ask_for(await house.add_table(), ADA)
            await house.has_letters(1, "retrying")
            (letter,) = await house.letters()
            assert letter["attempts"][-1]["outcome"] == "login"
        assert "sesame-0pen" not in shop.log.text
    assert inbox.taken == []


async def test_a_kill_before_the_commit_repeats_the_letter_under_its_message_id(url: str) -> None:
    with open_inbox() as inbox:
        inbox.answers_data = False
        with open_writing(url, inbox, exit_code=-signal.SIGKILL) as shop:
            async with visiting(shop) as house:
                await house.ask_for(await house.add_table(), ADA)
                await until(lambda: len(inbox.taken) == 1)
            shop.process.kill()
        inbox.answers_data = True
        with open_writing(url, inbox) as shop:
            async with visiting(shop) as house:
                await house.has_letters(1, "sent")
        assert len(inbox.taken) == 2
        assert len({message["Message-ID"] for _, message in inbox.taken}) == 1
    assert await db_check(url) == 0


async def test_a_server_that_never_answers_does_not_hold_up_the_end_of_the_shop(file: str) -> None:
    with open_inbox() as inbox:
        inbox.answers_data = False
        with open_writing(file, inbox) as shop:
            async with visiting(shop) as house:
                await house.ask_for(await house.add_table(), ADA)
                await until(lambda: len(inbox.taken) == 1)
            shop.process.send_signal(signal.SIGTERM)
            assert await shop.ended() == 0


async def test_without_a_mail_server_letters_are_files_which_the_command_reads(
    tmp_path: Path,
) -> None:
    url, folder = f"sqlite:///{tmp_path}/cafe.db", tmp_path / "post"
    with open_shop(FREE_PORTS, database_url=url, mail_dir=folder, public_url=PUBLIC) as shop:
        async with visiting(shop) as house:
            table = await house.add_table()
            booking = await house.ask_for(table, ADA)
            await house.decide(booking, "decline", "We are closed <b>that</b> day.")
            await house.has_letters(2, "sent")
    first, second = (
        message_from_bytes(path.read_bytes(), policy=default) for path in sorted(folder.iterdir())
    )
    assert (first["Subject"], second["Subject"]) == (RECEIVED, DECLINED)
    html = second.get_body(("html",))
    assert html is not None
    assert "We are closed &lt;b&gt;that&lt;/b&gt; day." in html.get_content()
    listed = await mail_command("list", "--state", "sent", url=url)
    assert listed.count("written") >= 2
    letter_id = first["Message-ID"].strip("<>").partition("@")[0]
    shown = await mail_command("show", letter_id, url=url)
    assert RECEIVED in shown
    assert booking["token"] not in shown
