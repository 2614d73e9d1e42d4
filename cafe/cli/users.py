"""`cafe users` and `cafe tokens`: accounts, and tokens for programs.

Rule: each command is a request of a manager, to the running shop or to the house opened here. So an
e-mail address and a password are checked as in a registration.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from cafe.cli.imports import importing
from cafe.cli.managing import CommandRefusedError, answer_of, managed, page_after
from cafe.cli.options import DatabaseUrl, ShopUrl
from cafe.http.role import Role
from cafe.operations.printable import printable

if TYPE_CHECKING:
    import httpx

users = typer.Typer(help="Add users, and change their roles.", no_args_is_help=True)
tokens = typer.Typer(help="Grant tokens to programs, and revoke them.", no_args_is_help=True)

LONGEST_LINE: Final = 4096
"""The most bytes that are read of a password from a pipe; more than it may have."""
PAGE: Final = 500
"""Users per request."""
SEEDED: Final = (
    ("customer@example.com", "customer123", Role.CUSTOMER),
    ("manager@example.com", "manager123", Role.MANAGER),
)
"""The documented users of coffee-shop; their passwords are public."""
EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", show_default=False)]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Which program has it.", show_default=False)
]
Shown = dict[str, Any]


@users.command("add")
def add_user(
    email: EmailArgument,
    role: Annotated[Role, typer.Option(help="What the account may do.", show_default=False)],
    password: Annotated[
        str | None,
        typer.Option(
            help="8 to 256 characters; if it is missing it is asked for, or read from a pipe.",
            show_default=False,
        ),
    ] = None,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """Add an account with a role."""
    if password is None:
        password = asked_password() if is_typed() else piped_password()
    wish = {"email": email, "password": password, "role": role.value}

    async def work(client: httpx.AsyncClient) -> Shown:
        added: Shown = answer_of(await client.post("/admin/users", json=wish))
        return added

    show_user(managed(work, database_url=database_url, url=url))


@users.command("list")
def list_users(database_url: DatabaseUrl = None, url: ShopUrl = None) -> None:
    """List all accounts, in the order of their e-mail addresses."""

    async def work(client: httpx.AsyncClient) -> None:
        async for user in all_users(client):
            show_user(user)

    managed(work, database_url=database_url, url=url)


@users.command("role")
def give_role(
    email: EmailArgument,
    role: Annotated[Role, typer.Argument(show_default=False)],
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """Give an account another role, from its next request on."""
    change_user(email, {"role": role.value}, database_url, url)


@users.command("disable")
def disable_user(
    email: EmailArgument, database_url: DatabaseUrl = None, url: ShopUrl = None
) -> None:
    """Disable an account: its sign-ins end, and it cannot sign in."""
    change_user(email, {"disabled": True}, database_url, url)


@users.command("enable")
def enable_user(
    email: EmailArgument, database_url: DatabaseUrl = None, url: ShopUrl = None
) -> None:
    """Enable an account that was disabled."""
    change_user(email, {"disabled": False}, database_url, url)


@users.command("seed")
def seed_users(database_url: DatabaseUrl = None, url: ShopUrl = None) -> None:
    """Add two users with public passwords, for development: a customer and a manager.

    customer@example.com has the password customer123, manager@example.com has manager123.

    One that is there already is left as it is. Refused where CAFE_ENV is production.
    """
    refuse_production()

    async def work(client: httpx.AsyncClient) -> None:
        for email, password, role in SEEDED:
            wish = {"email": email, "password": password, "role": role.value}
            response = await client.post("/admin/users", json=wish)
            if response.status_code == HTTPStatus.CONFLICT:
                print(f"{email} is there already, and is left as it is.")
                continue
            answer_of(response)
            print(f"{email} is added, as {role.value}, with the password {password}.")

    managed(work, database_url=database_url, url=url)


@tokens.command("add")
def add_token(
    name: NameArgument,
    role: Annotated[Role, typer.Option(help="barista or manager", show_default=False)],
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """Grant a token to a program, and print it: this is the only time that it is shown."""

    async def work(client: httpx.AsyncClient) -> str:
        wish = {"name": name, "role": role.value}
        token: str = answer_of(await client.post("/admin/tokens", json=wish))["token"]
        return token

    print(managed(work, database_url=database_url, url=url))


@tokens.command("list")
def list_tokens(database_url: DatabaseUrl = None, url: ShopUrl = None) -> None:
    """List the tokens that hold, by the names of their programs."""

    async def work(client: httpx.AsyncClient) -> list[Shown]:
        found: list[Shown] = answer_of(await client.get("/admin/tokens"))["tokens"]
        return found

    for token in managed(work, database_url=database_url, url=url):
        print(printable(f"{token['name']}  {token['role']}  {token['granted_at']}"))


@tokens.command("revoke")
def revoke_token(name: NameArgument, database_url: DatabaseUrl = None, url: ShopUrl = None) -> None:
    """Revoke a program's token, from its next request on."""

    async def work(client: httpx.AsyncClient) -> None:
        answer_of(await client.delete(f"/admin/tokens/{quote(name, safe='')}"))

    managed(work, database_url=database_url, url=url)
    print(printable(f"{name} is revoked."))


def is_typed() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def piped_password() -> str:
    """Return the first line of standard input; raises CommandRefusedError if there is none."""
    line = b"" if sys.stdin is None else sys.stdin.buffer.readline(LONGEST_LINE)
    if not line:
        raise CommandRefusedError("There is no password; give --password.")
    return line.removesuffix(b"\n").decode("utf-8", "surrogateescape")


def asked_password() -> str:
    """Prompt for a password twice, and return it; raises CommandRefusedError if there is none."""
    try:
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise CommandRefusedError("There is no password; give --password.") from None
    return password


def refuse_production() -> None:
    """Raise CommandRefusedError if CAFE_ENV is production."""
    with importing():
        from cafe.cli.ledgers import shop_settings  # noqa: PLC0415 - not for help

    with shop_settings() as settings:
        if settings.env == "production":
            raise CommandRefusedError(
                "CAFE_ENV is production: users whose passwords are public are for development only."
            )


def change_user(email: str, changes: Shown, database_url: str | None, url: str | None) -> None:
    """Find an account by its e-mail address, change it, and print it."""

    async def work(client: httpx.AsyncClient) -> Shown:
        found = answer_of(await client.get("/admin/users", params={"email": email}))["users"]
        if not found:
            raise CommandRefusedError(f"There is no user {email}.")
        path = f"/admin/users/{found[0]['user_id']}"
        changed: Shown = answer_of(await client.patch(path, json=changes))
        return changed

    show_user(managed(work, database_url=database_url, url=url))


async def all_users(client: httpx.AsyncClient) -> AsyncIterator[Shown]:
    """Yield every account, page after page."""
    page: httpx.Response | None = await client.get("/admin/users", params={"limit": PAGE})
    while page is not None:
        for user in answer_of(page)["users"]:
            yield user
        page = await page_after(client, page)


def show_user(user: Shown) -> None:
    """Print one account as a line."""
    state = "disabled" if user["disabled"] else "active"
    print(printable(f"{user['email']}  {user['role']}  {state}"))
