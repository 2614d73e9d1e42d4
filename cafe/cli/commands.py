"""The commands of `cafe`: each is imported only when it is used, and run to an exit code.

Rule: a command is one line in COMMANDS, and its help is its docstring; so only `cafe --help`
imports them all. An expected error is one line on stderr and an exit code: no traceback, and no
box of help.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import Annotated

import typer
from typer.exceptions import TyperException

from cafe.cli.streams import NOT_WRITTEN, flush_output, print_error

COMMANDS = {
    "serve": "cafe.cli.serve",
    "baristas": "cafe.players.baristas",
    "customers": "cafe.players.customers",
    "rush": "cafe.players.rush",
    "providers": "cafe.players.providers",
    "report": "cafe.cli.database",
    "db": "cafe.cli.database",
    "import": "cafe.cli.importing",
    "menu": "cafe.cli.menu",
    "mail": "cafe.cli.mail",
    "notifications": "cafe.cli.notifications",
    "users": "cafe.cli.users",
    "tokens": "cafe.cli.users",
}
"""By name: the module that has the command under the same name, a function or a Typer.

What is a keyword of Python has a `_` behind it there.
"""

NOT_IMPORTED = {"serve": ("rich", "pygments", "cryptography")}
"""By command: what libraries import if it is installed, and the command never uses.

structlog imports rich, which imports pygments; so does alembic. They would take 7 MiB. PyJWT
imports cryptography for signatures of other kinds than ours: as much again.
"""


def run(app: typer.Typer, args: Sequence[str]) -> int:
    """Run `app` and return its exit code: 2 for wrong usage, or that of the error raised.

    If the output cannot be written, as on a full device, that is one line and NOT_WRITTEN; if its
    reader has closed the pipe, as `head` does, the exit code alone.
    """
    try:
        status = _run(app, args)
    except OSError:
        if (error := flush_output()) is None:
            raise  # it was another file
        status = 0
    else:
        error = flush_output()
    if error is None:
        return status
    if not isinstance(error, BrokenPipeError):
        print_error(f"cafe: Standard output cannot be written: {error.strerror}.")
    return status or NOT_WRITTEN


def _run(app: typer.Typer, args: Sequence[str]) -> int:
    try:
        # typer returns the code of a raised Exit, or what the command returned: None.
        code: object = app(args, standalone_mode=False)
    except TyperException as error:
        # Empty when `cafe` alone has already printed its help.
        if line := " ".join(error.format_message().split()):
            print_error(f"cafe: {line}")
        return error.exit_code
    return code if isinstance(code, int) else 0


def app_for(args: Sequence[str]) -> typer.Typer:
    """Return the app for the command line `args`, importing only the command it begins with."""
    return make_app(args[:1] if args and args[0] in COMMANDS else list(COMMANDS))


def make_app(names: Sequence[str]) -> typer.Typer:
    """Return an app with these commands."""
    app = typer.Typer(
        name="cafe",
        help="A coffee shop as a server: serve it, or play its customers and baristas in it.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # a setting may be a secret
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for name in names:
        _add_command(app, name)
    return app


def _add_command(app: typer.Typer, name: str) -> None:
    with hidden(NOT_IMPORTED.get(name, ())):
        command = getattr(import_module(COMMANDS[name]), attribute_of(name))
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


def attribute_of(name: str) -> str:
    """Return the name that a command has in its module."""
    return f"{name}_" if iskeyword(name) else name


@contextmanager
def hidden(packages: Sequence[str]) -> Generator[None]:
    """Make packages that are not imported yet look as if they were not installed, in the block."""
    absent = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None is documented
    try:
        yield
    finally:
        for package in absent:
            del sys.modules[package]


def print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    """Print the version and end."""
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - most runs do without

        print(version("trio-cafe"))
        raise typer.Exit


def options(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version)
    ] = False,
) -> None:
    """Serve the shop, or play its customers and baristas."""
