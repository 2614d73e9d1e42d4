"""The commands of `cafe`: each is imported only when it is used, and run to an exit code.

Rule: a command is one line in COMMANDS, with the first sentence of its help; so `cafe --help` and
completion import none. An expected error is one line on stderr and an exit code: no traceback, and
no box of help.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cafe.cli.plain_help import in_plain_words, without_conversions
from cafe.cli.streams import NOT_WRITTEN, flush_output, print_error


class Command(NamedTuple):
    """The module of a command, and its line in `cafe --help`."""

    module: str
    """It has the command under the same name, a function or a Typer.

    The name has a `_` at the end if it is a keyword of Python.
    """
    about: str
    """The first line of its help; a test compares them."""


COMMANDS: Final = {
    "serve": Command(
        "cafe.cli.serve", "Open the shop: customers on one port, baristas on the other."
    ),
    "house": Command(
        "cafe.cli.serve",
        "Own a shop for fronts on other machines, or stand by until its owner ends.",
    ),
    "front": Command(
        "cafe.cli.serve",
        "Serve a shop that a house on another machine owns: both ports, or one of them.",
    ),
    "health": Command(
        "cafe.cli.health",
        "Ask the shop on this machine whether it is alive: exit code 0 if so, else 1.",
    ),
    "order": Command("cafe.cli.counter", "Order a coffee in a running shop."),
    "start": Command("cafe.cli.counter", "Claim the order that has waited longest."),
    "finish": Command("cafe.cli.counter", "Declare an order ready."),
    "orders": Command("cafe.cli.counter", "List the orders that wait or are in preparation."),
    "baristas": Command(
        "cafe.players.commands", "Let baristas work in a running shop until Ctrl-C."
    ),
    "customers": Command(
        "cafe.players.commands",
        "Let groups of customers order in a running shop, and wait for as long as it takes.",
    ),
    "rush": Command(
        "cafe.players.commands",
        "Play the whole scenario on shops of its own: first without, then with an attacker.",
    ),
    "providers": Command(
        "cafe.players.commands",
        "Stand in for the providers of payments, refunds and notifications, until Ctrl-C.",
    ),
    "qr": Command(
        "cafe.cli.qr", "Print the address of the order page as a QR code, or write it as SVG."
    ),
    "report": Command(
        "cafe.cli.report",
        "Print the figures of a day: orders, waits, brewing times, baristas, and its hours.",
    ),
    "db": Command(
        "cafe.cli.database", "Migrate, copy, restore, prune and check the shop's database."
    ),
    "import": Command(
        "cafe.cli.importing",
        "Take over what another system has exported; no shop may run meanwhile.",
    ),
    "menu": Command("cafe.cli.menu", "Read the menu from a file, or write it into one."),
    "mail": Command("cafe.cli.mail", "List letters, show them, and have them attempted again."),
    "notifications": Command(
        "cafe.cli.notifications", "List notifications, and have them attempted again."
    ),
    "users": Command("cafe.cli.users", "Add users, and change their roles."),
    "tokens": Command("cafe.cli.users", "Grant tokens to programs, and revoke them."),
}

PLAIN_TEXT: Final = None
"""Help without boxes: importing rich takes longer than all the rest of help."""


def run(app: typer.Typer, args: Sequence[str]) -> int:
    """Run `app` and return its exit code: 2 for wrong usage, or that of the error raised.

    If the output cannot be written, as on a full device, it prints one line and returns
    NOT_WRITTEN; if its reader has closed the pipe, as `head` does, it prints nothing.
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
        said = error.format_message()
        if said.startswith("Usage: "):  # a command with commands, alone: typer sends its help
            print(said)
        else:
            print_error(f"cafe: {without_jargon(' '.join(said.split()))}")
        return error.exit_code
    return code if isinstance(code, int) else 0


def without_jargon(said: str) -> str:
    """Return pydantic's message about a wrong value, without the parts for programmers."""
    said, cut, _ = said.replace(": Value error, ", ": ").partition(", unable to parse")
    return f"{said}." if cut else said


def app_for(args: Sequence[str]) -> typer.Typer:
    """Return the app, with the command that the command line begins with already imported."""
    if args and args[0] in COMMANDS:
        imported(args[0])
    return make_app()


class LazyGroup(TyperGroup):
    """The commands of `cafe`, as their names and first sentences until one is used."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that `args` begin with: for its use, its help or its completion."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            command = loaded(name)
        if ctx.resilient_parsing:
            _complete_without_rich()
        return name, command, rest

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return the completions after `cafe`."""
        _complete_without_rich()
        return super().shell_complete(ctx, incomplete)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, which are flags."""
        return without_conversions(super().get_params(ctx))


def _complete_without_rich() -> None:
    """Make rich look as if it were not installed, unless a command has imported it.

    typer would import it to read markup in the help of completions, which have none.
    """
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # None is documented


def make_app() -> typer.Typer:
    """Return the app, which imports a command when it is used."""
    app = typer.Typer(
        name="cafe",
        cls=LazyGroup,
        help="A coffee shop as a server: serve it, or play its customers and baristas in it.",
        no_args_is_help=True,
        rich_markup_mode=PLAIN_TEXT,
        pretty_exceptions_show_locals=False,  # a setting may be a secret
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
        },
    )
    app.callback()(options)
    for name, command in COMMANDS.items():
        app.command(name, short_help=command.about)(_stand_in)
    return app


def loaded(name: str) -> Any:
    """Return typer's command object, made of the command's function or Typer."""
    command = imported(name)
    alone = typer.Typer(add_completion=False, rich_markup_mode=PLAIN_TEXT)
    alone.callback()(_stand_in)  # so that it is a group with the one command in it
    if isinstance(command, typer.Typer):
        alone.add_typer(command, name=name)
    else:
        alone.command(name)(command)
    group: Any = typer.main.get_command(alone)
    return in_plain_words(group.commands[name])


def imported(name: str) -> Any:
    """Import a command's module, and return its function or Typer."""
    return getattr(import_module(COMMANDS[name].module), attribute_of(name))


def attribute_of(name: str) -> str:
    """Return a command's name in its module: `import` is a keyword of Python."""
    return f"{name}_" if iskeyword(name) else name


def _stand_in() -> None:
    """Do nothing: typer needs a function for a command that is not loaded."""


def print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    """Print the version and end."""
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - most runs do without

        print(version("trio-cafe"))
        raise typer.Exit


def options(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True),
    ] = False,
) -> None:
    """Serve the shop, or play its customers and baristas."""
