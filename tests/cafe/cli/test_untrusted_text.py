"""Untrusted text, such as names and errors, is escaped by every command that shows it.

Each text is hostile in its own way: markup for rich, control characters for a terminal, a lone
surrogate for an encoder. Printable text is shown as it is.
"""

from __future__ import annotations

import io
import json
import socketserver
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
from rich.console import Console, RenderableType
from sqlalchemy import NullPool, create_engine

from cafe.ledger.database import upgrade
from cafe.operations.printable import printable
from cafe.players.attacker import Attack
from cafe.players.baristas import Shift, Staff
from cafe.players.board import plain_console, shown
from cafe.players.customers import Crowd, comparison
from cafe.players.options import Span, seeded_random
from cafe.players.rush import Phase, ShopProcessError
from tests.cafe.cli.running import run_command
from tests.cafe.ledger.order_histories import RowWriter, Tickets, finish, start
from tests.cafe.players.fake_shop import FakeShop

URL = "http://shop.test"
EIGHT = datetime(2026, 11, 20, 8).astimezone().timestamp()
DAY = ["--day", "2026-11-20"]
TEXTS = {
    "closing markup": "[/]",
    "markup": "[red]Ada[/red]",
    "emoji": ":coffee:",
    "link": "[link=http://evil.test]Bo[/link]",
    "cleared screen": "\x1b[2J",
    "terminal title": "\x1b]0;title\x07",
    "one-byte escape": "\x9b31m",
    "lines": "a\nb\r\x85\u2028c",
    "backspaces": "Ada\b\b\bBo",
    "NUL": "a\0b",
    "right to left": "\u202eevil\u2066",
    "no width": "A\u200bda\ufeff",
    "lone surrogate": "\ud800",
    "text": "Zoë 咖啡 ☕",
}
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
each_text_of_a_database = pytest.mark.parametrize(
    "text",
    [text for text in TEXTS.values() if "\ud800" not in text],
    ids=[name for name, text in TEXTS.items() if "\ud800" not in text],
)


def check(printed: str, text: str) -> None:
    """Check that what was printed shows a text, and has no control characters."""
    assert all(char.isprintable() or char == "\n" for char in printed), ascii(printed)
    assert printable(text) in printed


def drawn(rows: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(rows)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@each_text
async def test_a_customer_s_name_on_the_baristas_board(
    autojump_clock: trio.testing.MockClock, text: str
) -> None:
    shop = FakeShop(autojump_clock)
    shop.order(text)
    staff = Staff(1, URL, Shift(Span(60, 60), orders=1), transport=shop.transport)
    crowd = Crowd([1], Span(1, 1), URL, seeded_random(1), transport=shop.transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(staff.work)
        await trio.sleep(30)
        check(drawn(staff.rows()), text)
        check(drawn(Phase("with an attacker", crowd, staff).rows()), text)
    assert shop.finished == ["order-1"]


@each_text
async def test_the_error_of_a_barista_on_its_board(
    autojump_clock: trio.testing.MockClock, text: str
) -> None:
    def break_off(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(text, request=request)

    shift = Shift(Span(1, 1), orders=1, retry_for=60)
    staff = Staff(1, URL, shift, transport=lambda _: httpx.MockTransport(break_off))
    began = autojump_clock.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(staff.work)
        await trio.sleep(30)
        check(drawn(staff.rows()), text)
    assert autojump_clock.current_time() > began + 30


@each_text
async def test_the_reason_of_a_refusal(text: str) -> None:
    body = json.dumps({"limit": text})
    shop = httpx.MockTransport(lambda _: httpx.Response(429, content=body))
    crowd = Crowd([2], Span(1, 1), URL, seeded_random(1), transport=lambda _: shop)
    await crowd.arrive()
    screen = io.StringIO()
    plain_console(screen).print(comparison({"customers": crowd.summary()}), width=200)
    check(screen.getvalue(), text)


@each_text
async def test_the_answers_to_an_attacker(text: str) -> None:
    attack = Attack(9, {f"429 {text}": 9}, 0, 0, None, None)
    screen = io.StringIO()
    plain_console(screen).print(attack.text(), soft_wrap=True)
    printed = screen.getvalue()
    assert all(char.isprintable() or char == "\n" for char in printed), ascii(printed)
    assert text in printed or ascii(text)[1:-1] in printed


@each_text
async def test_the_line_of_a_board(autojump_clock: trio.testing.MockClock, text: str) -> None:
    class Board:
        def rows(self) -> RenderableType:
            raise NotImplementedError

        def line(self) -> str:
            return text

    screen = io.StringIO()
    began = autojump_clock.current_time()
    async with shown(Board(), Console(file=screen, force_terminal=False, width=9)):
        await trio.sleep(6)
    assert autojump_clock.current_time() == began + 6
    check(screen.getvalue(), text)


Cafe = Callable[..., str]


@pytest.fixture
def cafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cafe:
    """Return a function that runs `cafe` in an empty folder, and returns what it has printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAFE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> str:
        run_command(arguments)
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def brew(barista: str) -> None:
    """Create a ledger in which a barista has brewed one coffee."""
    upgrade("sqlite:///cafe.db")
    with create_engine("sqlite:///cafe.db", poolclass=NullPool).begin() as connection:
        rows, placed = RowWriter(connection), Tickets().place(at=EIGHT)
        started = rows.write(start(rows.write(placed), at=EIGHT + 5, barista=barista))
        rows.write(finish(started, at=EIGHT + 35))


@each_text_of_a_database
def test_a_barista_s_name_in_the_report(cafe: Cafe, text: str) -> None:
    brew(text)
    check(cafe("report", *DAY), text)


@each_text_of_a_database
def test_a_barista_s_name_in_the_report_as_json(cafe: Cafe, text: str) -> None:
    brew(text)
    printed = cafe("report", *DAY, "--json")
    assert all(char.isprintable() or char == "\n" for char in printed), ascii(printed)
    assert json.loads(printed)["baristas"][0]["name"] == text
    assert text in printed or not text.isprintable()


@each_text_of_a_database
def test_a_finding_of_cafe_db_check(cafe: Cafe, text: str) -> None:
    brew("Bo")
    with closing(sqlite3.connect("cafe.db")) as connection, connection:
        connection.execute(
            "UPDATE orders SET status = 'waiting', ended_at = NULL, barista = ?, order_id = ?",
            (text, f"id {text}"),
        )
        connection.execute("UPDATE events SET subject = ?", (f"id {text}",))
    printed = cafe("db", "check")
    check(printed, f"orders 1 (id {text}): status waiting, barista {text}")


@each_text_of_a_database
def test_the_name_of_a_copy(cafe: Cafe, text: str) -> None:
    brew("Bo")
    name = text.replace("\0", "").replace("/", "")
    check(cafe("db", "backup", name), f"{name}: ")
    check(cafe("db", "backup", name), "is there already; nothing was copied.")
    check(cafe("db", "restore", name), f"a copy of {name} now")


def test_the_name_of_a_copy_that_is_not_unicode(cafe: Cafe) -> None:
    brew("Bo")
    check(cafe("db", "backup", "copy\udcff"), "copy\udcff: ")


@each_text
@pytest.mark.parametrize(
    "command",
    [
        ["{}"],
        ["customers", "--url", "{}"],
        ["customers", "--from", "{}"],
        ["customers", "--groups", "{}"],
        ["baristas", "--brew", "{}"],
        ["baristas", "{}"],
        ["report", "--day", "{}"],
        ["serve", "--client-bind", "{}"],
        ["serve", "--log-format", "{}"],
        ["serve", "--client-config", "{}"],
        ["db", "check", "--database-url", "{}"],
    ],
    ids=" ".join,
)
def test_a_wrong_value_on_the_command_line(cafe: Cafe, command: list[str], text: str) -> None:
    printed = cafe(*(word.replace("{}", text) for word in command))
    # Of a shop it is a line of its log, which is JSON where it is not read on a terminal.
    assert printed.startswith(("cafe: ", '{"detail":'))
    assert printed.count("\n") == 1
    assert printed[:-1].isprintable(), ascii(printed)


@each_text
def test_the_last_line_of_a_shop_that_did_not_start(
    cafe: Cafe, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ShopProcessError("did not start", 2, text)

    monkeypatch.setattr("cafe.players.rush.open_shop", fail)
    printed = cafe("rush")
    assert printed.startswith("cafe: the shop did not start (exit code 2): ")
    assert printed.count("\n") == 1
    assert printed[:-1].isprintable(), ascii(printed)


Answer = tuple[int, bytes, dict[str, str]]
"""A status, a body, and further header fields."""


@contextmanager
def answering(answers: Mapping[str, Answer]) -> Generator[str]:
    """Yield the URL of a server with these answers, by path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, header = answers[self.path.partition("?")[0]]
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in header.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - as the library names it

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


ALIVE: Answer = (HTTPStatus.OK, b"{}", {})
ORDER: Answer = (HTTPStatus.OK, b'{"order_id": "1", "number": 1}', {})
UNREADABLE: dict[str, tuple[bytes, dict[str, str]]] = {
    "no JSON": (b"<html>[/]\x1b[2J", {}),
    "no object": (b"[1]", {}),
    "not all of it": (b'{"order_id": "1"}', {}),
    "too deep": (b"[" * 100_000, {}),
    "no text": (b"\xff\xfe\xfd", {"Content-Type": "application/json; charset=utf-8"}),
    "no gzip": (b"[/]", {"Content-Encoding": "gzip"}),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpx, no gzip
@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("path", ["/start/", "/finish/"])
def test_an_unreadable_answer_to_a_barista_is_one_line(
    cafe: Cafe, path: str, unreadable: tuple[bytes, dict[str, str]]
) -> None:
    answers = {"/livez": ALIVE, "/start/": ORDER, "/release/": ALIVE, path: (200, *unreadable)}
    with answering(answers) as url:
        options = ["--brew", "0", "--orders", "1", "--retry-for", "0"]
        result, line = cafe("baristas", "1", "--url", url, *options).splitlines()
    assert result == "0 of 1 baristas brewing, 0 brewed"
    assert line.startswith("cafe: ")
    assert url in line
    assert line.isprintable()


@each_text
def test_the_reason_of_a_refusal_over_a_socket(cafe: Cafe, text: str) -> None:
    body = json.dumps({"limit": text}).encode()
    with answering({"/livez": ALIVE, "/order/": (429, body, {})}) as url:
        check(cafe("customers", "1", "--groups", "1", "--url", url), f"1 x 429 {text}")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpx, no gzip
@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_refusal_of_a_customer_is_counted(
    cafe: Cafe, unreadable: tuple[bytes, dict[str, str]]
) -> None:
    with answering({"/livez": ALIVE, "/order/": (429, *unreadable)}) as url:
        printed = cafe("customers", "2", "--groups", "2", "--url", url)
    check(printed, "2 x ")
    assert "0 of 2" in printed
