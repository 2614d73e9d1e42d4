"""`cafe qr`: the address of the page on which guests order, as a QR code to hang up.

Rule: no shop is asked, since the code has only the address. The code is drawn in black on white,
whatever the terminal's colours: many readers recognize no others.
"""

from __future__ import annotations

import sys
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from cafe.cli.asking import parse_full_url
from cafe.cli.imports import importing
from cafe.cli.managing import CommandRefusedError
from cafe.operations.printable import printable

if TYPE_CHECKING:
    from segno import QRCode

LOCAL: Final = "http://localhost:8080/"
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
BLACK_ON_WHITE: Final = "\x1b[97;40m{line}\x1b[0m"
"""A line of the code on a terminal: its characters are the white parts."""
HALF_BLOCKS: Final = "▀▄█"


def qr(
    url: Annotated[
        str,
        typer.Argument(
            envvar="CAFE_PUBLIC_URL",
            metavar="URL",
            help="The page, as guests' phones reach it.",
        ),
    ] = LOCAL,
    svg: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write it into this file, as a picture to print."),
    ] = None,
) -> None:
    """Print the address of the order page as a QR code, or write it as SVG."""
    address = page_of(url)
    code = code_of(address)
    if svg is None:
        print(on_terminal(code), end="")
        print(printable(address))
    else:
        try:
            code.save(svg, kind="svg", omitsize=True, light="white", title=address)
        except OSError as error:
            raise CommandRefusedError(
                f"{svg} cannot be written: {error.strerror}. Name another file."
            ) from None
        print(printable(f"{svg}: {address}"))
    if urlsplit(address).hostname in LOCAL_HOSTS:
        print(
            "That is this machine, which no phone reaches by this name: "
            "give the shop's address in your network, or set CAFE_PUBLIC_URL."
        )


def page_of(url: str) -> str:
    """Return the address of the page, with the path that browsers would add.

    Raises BadParameter if it is not a URL.
    """
    parse_full_url(url)
    place = urlsplit(url)
    return place._replace(path=place.path or "/").geturl()


def code_of(address: str) -> QRCode:
    """Return the code of an address; raises CommandRefusedError if it is too long for one."""
    with importing():
        import segno  # noqa: PLC0415 - not for help

    try:
        return segno.make_qr(address, error="m")
    except segno.DataOverflowError:
        raise CommandRefusedError(
            f"An address of {len(address)} characters is too long for a QR code: use a shorter one."
        ) from None


def on_terminal(code: QRCode) -> str:
    """Return the code as lines to print: of half blocks, or if they cannot be encoded, colours."""
    drawn = StringIO()
    code.terminal(drawn, compact=is_encodable(HALF_BLOCKS))
    text = drawn.getvalue()
    if not (sys.stdout.isatty() and is_encodable(HALF_BLOCKS)):
        return text
    return "".join(BLACK_ON_WHITE.format(line=line) + "\n" for line in text.splitlines())


def is_encodable(text: str) -> bool:
    """Return whether standard output can show a text."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True
