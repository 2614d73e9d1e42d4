"""The help of a command in plain words: what kind of value an option takes, and its default.

Rule: what a command says of an option stays as it is; the rest follows from the option's type here,
so that all commands say it alike. Neither help nor a TAB converts a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

KINDS: Final[dict[object, str]] = {int: "INTEGER", float: "NUMBER", Path: "FILE"}
"""What stands for a value in the help of an option that has no word of its own for it."""
TEXT: Final = "TEXT"
"""What stands for all others."""


def kind_of(annotation: Any) -> str:
    """Return what stands for a value of this type: the choices, or its kind in one word."""
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return kind_of(parts[0]) if parts else KINDS.get(annotation, TEXT)


def in_plain_words(command: Any) -> Any:
    """Name the values of a command's options, and of its own commands; return the command."""
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
    """Leave out what typer would import pydantic for; return the parameters.

    False is the default of a flag: typer's own, such as --help, have none, and it would convert
    that.
    """
    for parameter in parameters:
        if parameter.param_type_name == "option" and parameter.is_flag:
            parameter.default = parameter.default or False
    return list(map(unconverted, parameters))


def unconverted(parameter: Any) -> Any:
    """Leave a parameter's value as it is while a shell completes; return the parameter.

    pydantic would convert it, and takes as long to import as all else that a TAB needs.
    """
    if "process_value" in vars(parameter):
        return parameter  # done before
    convert = parameter.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        return value if ctx.resilient_parsing else convert(ctx, value)

    parameter.process_value = process_value
    return parameter
