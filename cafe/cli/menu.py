"""`cafe menu`: imports the whole menu from a file, or exports it into one.

Rule: each command is a request of a manager, to the running shop or to the house opened here. A
file with an error changes nothing, and the error names the file, the line and the member.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cafe.cli.imports import importing
from cafe.cli.managing import CommandRefusedError, answer_of, managed
from cafe.cli.options import DatabaseUrl, ShopUrl
from cafe.operations.printable import printable

if TYPE_CHECKING:
    import httpx

    from cafe.menu.menu_file import MenuFile

STANDARD: Final = "-"
"""Instead of a file: standard input or output."""

menu = typer.Typer(help="Read the menu from a file, or write it into one.", no_args_is_help=True)

FileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="A file of YAML, or - for a pipe.", show_default=False)
]


@menu.command("import")
def import_menu(file: FileArgument, database_url: DatabaseUrl = None, url: ShopUrl = None) -> None:
    """Replace the menu by that of a file: what is not in it leaves the menu.

    A product without an id is the one of its name, or a new one. Prices are decimal text with two
    places, such as 3.50.
    """
    with importing():
        from cafe.menu.menu_file import MOST_BYTES, MenuFile, MenuFileError  # noqa: PLC0415 - not for help

    name = "standard input" if file == STANDARD else file
    try:
        read = MenuFile(read_bytes(file, MOST_BYTES))

        async def work(client: httpx.AsyncClient) -> int:
            return len(await replace_menu(client, read))

        products = managed(work, database_url=database_url, url=url)
    except MenuFileError as wrong:
        raise CommandRefusedError(f"{name}{wrong}") from None
    print(printable(f"The menu is that of {name}: {counted(products)}."))


@menu.command("export")
def export_menu(file: FileArgument, database_url: DatabaseUrl = None, url: ShopUrl = None) -> None:
    """Write the menu into a file, which `cafe menu import` reads back as the same menu."""
    with importing():
        from cafe.menu.menu_file import yaml_of  # noqa: PLC0415 - not for help

    async def work(client: httpx.AsyncClient) -> list[dict[str, Any]]:
        products: list[dict[str, Any]] = answer_of(await client.get("/admin/products"))["products"]
        return products

    products = managed(work, database_url=database_url, url=url)
    if file == STANDARD:
        reconfigure: Any = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8")  # as YAML is, whatever the terminal's locale
        print(yaml_of(products), end="")
        return
    try:
        Path(file).write_text(yaml_of(products), encoding="utf-8")
    except OSError as error:
        raise CommandRefusedError(f"{file}: {error.strerror}.") from None
    print(printable(f"{file}: {counted(len(products))}"))


def counted(products: int) -> str:
    """Return the number of products, for people."""
    return f"{products} product" if products == 1 else f"{products} products"


def read_bytes(file: str, most: int) -> bytes:
    """Return the content of a file, at most `most` bytes and one, which shows that it is too large.

    Raises CommandRefusedError.
    """
    try:
        if file == STANDARD:
            if sys.stdin is None:  # it was closed
                return b""
            return sys.stdin.buffer.read(most + 1)
        with Path(file).open("rb") as opened:
            return opened.read(most + 1)
    except OSError as error:
        raise CommandRefusedError(f"{file}: {error.strerror}.") from None


async def replace_menu(client: httpx.AsyncClient, read: MenuFile) -> list[Any]:
    """Replace the shop's menu by the one that was read; return its products.

    Raises MenuFileError with the line that the shop refuses, or CommandRefusedError.
    """
    response = await client.put("/admin/menu", json=read.menu.model_dump())
    if response.is_client_error:
        for error in response.json().get("errors", ()):
            raise read.error(error["loc"][1:], error["message"])
    products: list[Any] = answer_of(response)["products"]
    return products
