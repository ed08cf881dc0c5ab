"""`fairdarts sweep settings`: every setting with its default, its meaning and what is allowed."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.formats import Format, FormatOption, indented, print_json

if TYPE_CHECKING:
    from orchestrate.planning.setting_list import Setting

MAX_NAMES = 3
TYPES = {"integer": "whole number", "number": "number"}
LIMITS = {
    "minimum": "{} or more",
    "exclusiveMinimum": "above {}",
    "maximum": "{} or less",
    "exclusiveMaximum": "below {}",
}
"""What limits of JSON Schema are called in text."""


def settings(
    word: Annotated[
        str | None,
        typer.Argument(
            metavar="WORD",
            help="A section, a name or a word in the text: search, lr, search.lr; default: all.",
        ),
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Show settings: default, meaning, what is allowed.

    `sweep run --set` and sweep files use these names. Methods, search spaces and recipes replace
    some defaults with values of their own, shown as "Elsewhere". As JSON: a list of name, default,
    required, optional, presets, description, and type, enum, minimum and so on as in JSON Schema.

    Examples:

    \b
        fairdarts sweep settings
        fairdarts sweep settings lr
        fairdarts sweep settings search --format json
    """
    from orchestrate.planning.setting_list import all_settings, find_settings

    found = all_settings() if word is None else find_settings(word)
    if format_ is Format.JSON:
        print_json([_document(setting) for setting in found])
        return
    section = None
    for setting in found:
        if setting.section != section:
            section = setting.section
            print(f"\n[{section}]" if section else "[of every trial]")
        print(f"\n{setting.name} = {_default(setting)}")
        for text in filter(None, (setting.description, _allowed(setting), _presets(setting))):
            print(indented(text))


def _document(setting: "Setting") -> dict[str, Any]:
    return {
        "name": setting.name,
        "default": setting.default,
        "required": setting.required,
        "optional": setting.optional,
        **setting.schema,
        "presets": setting.presets,
        "description": setting.description,
    }


def _default(setting: "Setting") -> str:
    """Print the default as a sweep file has it."""
    if setting.required:
        return "(must be given)"
    return "(left out)" if setting.default is None else json.dumps(setting.default)


def _allowed(setting: "Setting") -> str:
    schema = setting.schema
    if "enum" in schema:
        *names, last = map(str, schema["enum"])
        return f"Allowed: {', '.join(names)} or {last}." if names else f"Allowed: {last}."
    if "oneOf" in schema or schema["type"] == "string":  # The description says it.
        return ""
    if schema["type"] == "boolean":
        return "Allowed: true or false."
    limits = [words.format(schema[name]) for name, words in LIMITS.items() if name in schema]
    return f"Allowed: {', '.join([TYPES[schema['type']], *limits])}."


def _presets(setting: "Setting") -> str:
    """Print presets as "Elsewhere: 30 for space s2."; names with the same value share a part."""
    parts = []
    for kind, values in setting.presets.items():
        names: dict[str, list[str]] = {}
        for name, value in values.items():
            names.setdefault(json.dumps(value), []).append(name)
        parts += [f"{value} for {kind} {_some(same)}" for value, same in names.items()]
    return f"Elsewhere: {'; '.join(parts)}." if parts else ""


def _some(names: list[str]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
