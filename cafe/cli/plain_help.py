"""The help of a command in plain words: the kind of an option's value, and its default.

Rule: a command's own text about an option is not changed; the rest is derived from the option's
type, the same way for all commands. Neither help nor completion converts a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

KINDS: Final[dict[object, str]] = {int: "INTEGER", float: "NUMBER", Path: "FILE"}
"""The metavar of an option by its type, unless it has its own."""
TEXT: Final = "TEXT"
"""The metavar for all other types."""


def kind_of(annotation: Any) -> str:
    """Return the metavar for a value of this type: the choices, or its kind in one word."""
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return kind_of(parts[0]) if parts else KINDS.get(annotation, TEXT)


def in_plain_words(command: Any) -> Any:
    """Set the metavars of a command's options, and of its subcommands; return the command."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            _name_argument(parameter)
        elif not parameter.is_flag:
            _name_value(parameter)
        if isinstance(parameter.default, float) and parameter.default.is_integer():
            parameter.default = int(parameter.default)  # 10, not 10.0
    every = command.get_params

    def get_params(ctx: Any) -> list[Any]:
        return without_conversions(every(ctx))  # with --help

    command.get_params = get_params
    for each in getattr(command, "commands", {}).values():
        in_plain_words(each)
    return command


def _name_value(option: Any) -> None:
    described = option.type_descriptor
    if option.metavar is None and described.is_choice:
        option.metavar = "|".join(str(choice.value) for choice in described.choices)
    elif option.metavar is None:
        option.metavar = kind_of(described.annotation)


def _name_argument(argument: Any) -> None:
    argument.metavar = argument.metavar or argument.name.upper()
    if not argument.type_descriptor.is_choice:
        argument.display_type_rich = _no_type


def _no_type(ctx: object) -> None:
    """Show no type beside the name of an argument."""


def without_conversions(parameters: list[Any]) -> list[Any]:
    """Remove the conversions for which typer would import pydantic; return the parameters.

    False becomes the default of each flag: typer's own, such as --help, have none, which it would
    convert.
    """
    for parameter in parameters:
        if parameter.param_type_name == "option" and parameter.is_flag:
            parameter.default = parameter.default or False
    return list(map(unconverted, parameters))


def unconverted(parameter: Any) -> Any:
    """Leave a parameter's value unconverted during completion; return the parameter.

    pydantic would convert it, and takes as long to import as all the rest of completion.
    """
    if "process_value" in vars(parameter):
        return parameter  # done before
    convert = parameter.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        return value if ctx.resilient_parsing else convert(ctx, value)

    parameter.process_value = process_value
    return parameter
