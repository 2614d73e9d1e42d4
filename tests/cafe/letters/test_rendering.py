"""The messages: parsed back as a mail reader does, whatever a guest or a manager wrote."""

from __future__ import annotations

from contextlib import suppress
from email import message_from_string
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.bookings.messages import Facts
from cafe.letters.letter import Kind, Letter, new_letter
from cafe.letters.rendering import (
    LONGEST_REASON,
    WORDS,
    AddressError,
    Stationery,
    moment,
    one_line,
    recipient,
)
from tests.cafe.letters.mailroom import NOON, STATIONERY, facts_of

HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
}
HOSTILE = [
    '<script>alert("1")</script>',
    "Ada\r\nBcc: eve@example.org",
    "Ada\n\n<b>",
    "Zoë 日本語 🎉",
    "a" * 80,
    "{{ 7 * 7 }} {% include 'x' %}",
    "\x00\x1b[31m\u202e\ud800",
    "=?utf-8?q?x?=",
    ".\r\n.\r\nMAIL FROM:<eve@example.org>",
]


class Reader(HTMLParser):
    """Reads HTML as a mail reader does: its tags, its links and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_data(self, data: str) -> None:
        self.text += data


def letter(kind: Kind = Kind.ACCEPTED, address: str = "ada@example.org") -> Letter:
    return new_letter(7, "b1", kind, NOON, address=address, domain="cafe.example")


def read(content: str) -> EmailMessage:
    return message_from_string(content, policy=default)


def written(
    kind: Kind = Kind.ACCEPTED,
    facts: Facts | None = None,
    reason: str | None = None,
    stationery: Stationery = STATIONERY,
) -> tuple[EmailMessage, str, Reader]:
    """Return a message, its plain text, and its HTML."""
    facts = facts or facts_of("b1", "ada@example.org")
    message = read(stationery.message(letter(kind), facts, reason))
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return message, plain.get_content(), Reader(html.get_content())


@pytest.mark.parametrize("kind", Kind)
def test_a_letter_is_read_back_in_all_its_parts(kind: Kind) -> None:
    message, plain, html = written(kind, reason="The room is being painted.")
    assert message.defects == []
    assert set(message.keys()) == HEADERS
    assert message["To"] == "ada@example.org"
    assert message["From"] == "Café <cafe@cafe.example>"
    assert message["Subject"] == WORDS[kind].subject
    assert message["Message-ID"] == letter(kind).message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.timestamp() == NOON
    assert message.get_content_type() == "multipart/alternative"
    for text in (plain, html.text):
        for word in ("Ada", WORDS[kind].opening, "regular, 4 seats", "2", "b1", "painted"):
            assert word in text
        assert "Thursday 19 November 2026" in text
        assert "CET" in text
        assert "Europe/Berlin" in text


@pytest.mark.parametrize("kind", Kind)
def test_the_subject_is_short_and_ours(kind: Kind) -> None:
    assert len(WORDS[kind].subject) < 60
    assert WORDS[kind].subject.isascii()


@pytest.mark.parametrize("kind", Kind)
def test_only_what_can_be_cancelled_has_a_link(kind: Kind) -> None:
    _, plain, html = written(kind)
    link = "https://cafe.example/bookings/b1/cancel?token=t0ken-t0ken"
    if kind in {Kind.RECEIVED, Kind.ACCEPTED}:
        assert link in plain.splitlines()
        assert html.links == [link]
    else:
        assert html.links == []
        assert "t0ken" not in plain


def test_what_stands_in_a_link_is_encoded() -> None:
    facts = facts_of("b/1?&", "ada@example.org")._replace(token="a&b=c/d#e")
    _, plain, html = written(facts=facts)
    link = "https://cafe.example/bookings/b%2F1%3F%26/cancel?token=a%26b%3Dc%2Fd%23e"
    assert link in plain
    assert html.links == [link]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_is_escaped_and_in_the_body_only(text: str) -> None:
    facts = facts_of("b1", "ada@example.org", name=text)
    message, plain, html = written(Kind.DECLINED, facts, reason=text)
    usual, _, usual_html = written(Kind.DECLINED, reason="no")
    assert {name: message[name] for name in HEADERS - {"Content-Type"}} == {
        name: usual[name] for name in HEADERS - {"Content-Type"}
    }
    assert html.tags == usual_html.tags
    shown = one_line(text)
    assert f"Hello {shown},".replace("Hello ,", "Hello,") in plain
    assert shown in html.text
    assert len(plain.splitlines()) == len(written(Kind.DECLINED, reason="no")[1].splitlines())


@given(name=st.text(max_size=80), reason=st.text(max_size=200))
def test_any_text_makes_a_message_of_short_lines_in_ascii(name: str, reason: str) -> None:
    facts = facts_of("b1", "ada@example.org", name=name)
    content = STATIONERY.message(letter(), facts, reason)
    assert content.isascii()
    assert max(map(len, content.split("\r\n"))) <= 998
    assert "\n" not in content.replace("\r\n", "")
    message = read(content)
    assert set(message.keys()) == HEADERS
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "text/plain",
        "text/html",
    ]


def test_a_long_reason_is_cut() -> None:
    _, plain, _ = written(Kind.DECLINED, reason="x" * 10_000)
    assert plain.count("x") < LONGEST_REASON + 10


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "Ada <ada@example.org>",
        "ada@example.org, eve@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org\nBcc: eve@example.org",
        "ada@example.org\x00",
        "ada@exämple.org",
        "ädä@example.org",
        "ada @example.org",
        "ada@example.org (eve)",
        "ada@exam\u2028ple.org",
    ],
)
def test_only_a_bare_address_in_ascii_is_a_recipient(address: str) -> None:
    with pytest.raises(AddressError):
        recipient(address)


@given(address=st.text(max_size=30))
def test_any_other_text_is_no_recipient_or_one_as_it_is(address: str) -> None:
    with suppress(AddressError):
        assert recipient(address).addr_spec == address


@pytest.mark.parametrize(
    "address",
    [
        "ada@xn--exmple-cua.org",
        "a" * 64 + "@" + ".".join(3 * ["b" * 60]) + ".example",
        "ada+tag.x_y-z!#$%&'*/=?^`{|}~@example.org",
    ],
)
def test_an_address_of_any_length_is_read_back_from_its_header(address: str) -> None:
    facts = facts_of("b1", address)
    message = read(STATIONERY.message(letter(address=address), facts, None))
    assert [one.addr_spec for one in message["To"].addresses] == [address]


def test_a_long_message_id_is_read_back() -> None:
    domain = ".".join(4 * ["d" * 60])
    long = new_letter(7, "b1", Kind.ACCEPTED, NOON, address="a@example.org", domain=domain)
    stationery = Stationery(Address(addr_spec=f"cafe@{domain}"), ZoneInfo("UTC"), "http://x")
    message = read(stationery.message(long, facts_of("b1", "a@example.org"), None))
    assert message["Message-ID"].strip() == long.message_id


def test_a_guest_without_a_name_is_greeted() -> None:
    _, plain, html = written(facts=facts_of("b1", "ada@example.org", name=None))
    assert plain.startswith("Hello,\r\n")
    assert "Hello," in html.text


@pytest.mark.parametrize(
    ("seconds", "zone", "text"),
    [
        (1_774_746_000, "Europe/Berlin", "Sunday 29 March 2026, 03:00 CEST"),
        (1_774_745_999, "Europe/Berlin", "Sunday 29 March 2026, 01:59 CET"),
        (1_792_886_400, "Europe/Berlin", "Sunday 25 October 2026, 02:00 CEST"),
        (1_792_890_000, "Europe/Berlin", "Sunday 25 October 2026, 02:00 CET"),
        (1_792_890_000, "UTC", "Sunday 25 October 2026, 01:00 UTC"),
        (1_792_890_000, "America/Sao_Paulo", "Saturday 24 October 2026, 22:00 -03"),
    ],
)
def test_a_time_is_shown_in_the_shops_zone_also_where_the_clocks_change(
    seconds: float, zone: str, text: str
) -> None:
    assert moment(seconds, ZoneInfo(zone)) == text
