"""Generates `docs/cli.md` from the commands.

`make docs` writes it (`python -m cli.reference docs/cli.md`); a test compares it with the commands.
Parameters are told apart by attributes, not by type, because Typer has its own copy of Click.
"""

import inspect
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

TITLE = """# Command line

`make docs` generates this page from the commands; change their help, not this page. The
[README](../README.md) explains the words of a status and the exit codes. `--format json` prints one
JSON document and nothing else: keys are the names of the tables' columns, numbers are plain with
the unit in the key, and a missing value is null.
"""


def commands() -> dict[str, Any]:
    """All commands by full name, such as "fairdarts arch list", in the order of the help."""
    import typer.main

    from cli.app import app

    return dict(_commands(typer.main.get_command(app), "fairdarts"))


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for child, command in group.commands.items():
        full_name = f"{name} {child}"
        if hasattr(command, "commands"):
            yield from _commands(command, full_name)
        else:
            yield full_name, command


def examples(command: Any) -> list[str]:
    """The examples in a command's help; lines that continue with a backslash are joined."""
    _, _, block = command.help.partition("\b")
    joined = inspect.cleandoc(block).replace("\\\n", " ")
    return [" ".join(line.split()) for line in joined.splitlines()]


def page() -> str:
    """The whole page."""
    return "\n".join([TITLE, *(_section(name, command) for name, command in commands().items())])


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([name, *map(_argument, arguments), "[OPTIONS]"])
    text, _, block = inspect.cleandoc(command.help).partition("\b\n")
    parameters = [line for p in command.params if (line := _parameter(p))]
    return "\n".join(
        [
            f"## {name}\n",
            f"`{usage}`\n",
            text.rstrip() + "\n",
            f"```\n{inspect.cleandoc(block)}\n```\n",
            *parameters,
            "",
        ]
    )


def _argument(argument: Any) -> str:
    name = f"{argument.metavar}..." if argument.nargs == -1 else str(argument.metavar)
    return name if argument.required else f"[{name}]"


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"- `{_argument(parameter)}`: {parameter.help}"
    names = f"`{'`, `'.join(sorted(parameter.opts, key=len, reverse=True))}"
    value = "" if parameter.is_flag else f" {_value(parameter)}"
    default = parameter.default
    facts = [] if default is None or default is False else [f"Default: `{default}`."]
    if parameter.envvar:
        facts.append(f"Environment: `{parameter.envvar}`.")
    return " ".join([f"- {names}{value}`: {parameter.help}", *facts])


def _value(option: Any) -> str:
    if option.metavar:
        return str(option.metavar)
    return "|".join(type(option.default)) if isinstance(option.default, StrEnum) else "N"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
