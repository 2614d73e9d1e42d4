"""The counter from the command line, where no shop or something else answers."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from cafe.cli.asking import parse_url
from cafe.cli.order_table import duration
from cafe.settings import unknown_variables
from tests.cafe.cli.running import run_command
from tests.cafe.cli.test_untrusted_text import UNREADABLE, Answer, answering

LIST = "/api/v1/worker/orders"
NOWHERE = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "command",
    [["order"], ["start"], ["finish"], ["orders"], ["orders", "--watch"], ["order", "--wait"]],
    ids=" ".join,
)
def test_a_shop_that_cannot_be_reached_is_one_line(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*command, "--url", "http://boss:secret@127.0.0.1:1/"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"cafe: {NOWHERE} cannot be asked: [Errno 111] Connection refused.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--url nowhere", "nowhere is not an address like http://127.0.0.1:8080."),
        ("--url http://x:99999", "is not an address"),
        ("--url http://zoë.example", "is not an address"),
        ("--url ftp://x", "is not an address"),
        ("--token a\nb", "A token has printable ASCII characters only."),
        ("--token caf\xe9", "A token has printable ASCII characters only."),
    ],
)
def test_a_wrong_url_or_token_is_one_line_and_exit_code_2(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["orders", *words.split(" ")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert said in printed.err


@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE)
def test_what_does_not_answer_as_the_cafe_does_is_one_line(
    unreadable: tuple[bytes, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with answering({LIST: (HTTPStatus.OK, *unreadable)}) as url:
        assert run_command(["orders", "--url", url]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"cafe: {url} answered 200, and not as the café does.\n"


@pytest.mark.parametrize("command", ["order", "finish", "orders"])
def test_an_answer_without_a_body_where_the_cafe_has_one_is_one_line(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    empty: Answer = (HTTPStatus.NO_CONTENT, b"", {})
    with answering({LIST: empty, "/api/v1/client/order/": empty}) as url:
        assert run_command([command, "--url", url]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"cafe: {url} answered 204, and not as the café does.\n"


def test_a_refusal_is_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    refused: Answer = (HTTPStatus.CONFLICT, b'{"detail": "No \\u001b[2J\\n[red]way."}', {})
    with answering({LIST: refused}) as url:
        assert run_command(["orders", "--url", url]) == 1
    assert capsys.readouterr().err == "cafe: No \\x1b[2J [red]way.\n"


@pytest.mark.parametrize(
    "url",
    [
        "https://cafe.example/shop",
        "https://cafe.example/shop/",
        "https://cafe.example/shop/docs",
        "https://cafe.example/shop/api/v1/worker/docs",
        "https://cafe.example/shop/api/v1/client",
    ],
)
def test_a_url_may_be_what_the_shop_prints(url: str) -> None:
    assert parse_url(url) == "https://cafe.example/shop"


def test_the_variables_of_commands_are_no_unknown_settings() -> None:
    variables = {"CAFE_URL": "", "CAFE_WORKER_URL": "", "CAFE_TOKEN": "", "CAFE_URI": ""}
    assert [sentence.split()[0] for sentence in unknown_variables(variables)] == ["CAFE_URI"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "0 s"), (119.4, "119 s"), (120, "2:00 min"), (3661, "61:01 min")]
)
def test_a_duration_is_short(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
