"""The commands of `cafe`, each imported only when it is asked for.

Rule: a command is one line in COMMANDS, and its help is its docstring; so `cafe --help` imports
them all, and nothing else does. What only the players need is an extra, `trio-cafe[players]`:
without it they are listed all the same, and say in one line what to install.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from cafe.cli.run import run

COMMANDS = {
    "serve": "cafe.cli.serve",
    "baristas": "cafe.players.baristas",
    "customers": "cafe.players.customers",
    "rush": "cafe.players.rush",
    "report": "cafe.cli.report_day",
    "db": "cafe.cli.db",
}
"""By name: the module that has the command under the same name, a function or a Typer."""

EXTRA = frozenset({"httpx"})
"""What the extra `players` installs, and the server does without."""

NEEDLESS = {"serve": ("rich", "pygments")}
"""By command: what libraries import where it is installed, and the command never uses.

structlog imports rich, which imports pygments; so does alembic. All of it only draws: 7 MiB.
"""


def run_command(args: Sequence[str]) -> int:
    """Run the command line `args`; return its exit code."""
    return run(app_for(args), args)


def app_for(args: Sequence[str]) -> typer.Typer:
    """Make what runs the command line `args`, importing only the command that it begins with."""
    return make_app(args[:1] if args and args[0] in COMMANDS else list(COMMANDS))


def make_app(names: Sequence[str]) -> typer.Typer:
    """Make a command line of these commands."""
    app = typer.Typer(
        name="cafe",
        help="A coffee shop as a server: serve it, or play its customers and baristas in it.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # a setting may be a secret
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for name in names:
        try:
            with hidden(NEEDLESS.get(name, ())):
                command = getattr(import_module(COMMANDS[name]), name)
        except ModuleNotFoundError as error:
            if error.name not in EXTRA:
                raise
            add_missing(app, name, error.name)
            continue
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command()(command)
    return app


class NotInstalledError(TyperException):
    """A command needs the extra, which is not installed; ends like a wrong usage."""

    exit_code = 2

    def __init__(self, command: str, library: str) -> None:
        super().__init__(f"`cafe {command}` needs {library}: pip install 'trio-cafe[players]'")
        self.library = library


def add_missing(app: typer.Typer, name: str, library: str) -> None:
    """Add a command that takes any arguments, and raises NotInstalledError."""
    settings: dict[str, Any] = {"ignore_unknown_options": True, "allow_extra_args": True}

    @app.command(name, help="Needs the extra `players` of trio-cafe.", context_settings=settings)
    def refuse() -> None:
        raise NotInstalledError(name, library)


@contextmanager
def hidden(packages: Sequence[str]) -> Generator[None]:
    """Let packages that are not imported yet seem not to be installed, meanwhile."""
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
