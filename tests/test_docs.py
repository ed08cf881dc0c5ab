"""The documents keep what they say: every command is in the README and has help, links resolve."""

import re
from pathlib import Path

import click
import pytest
import typer.main
from repository import ROOT

from cli.app import app
from orchestrate.planning.settings import full_name
from orchestrate.planning.sweep_file import load_sweep, packaged_sweeps

README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(group: click.Group, prefix: str) -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, f"{prefix} {name}")  # type: ignore[arg-type]
        else:
            found[f"{prefix} {name}"] = command
    return found


COMMANDS = commands(typer.main.get_command(app), "fairdarts")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(name: str) -> None:
    assert f"`{name}" in README
    assert COMMANDS[name].help
    for parameter in COMMANDS[name].params:
        assert getattr(parameter, "help", "") or parameter.name == "help", parameter.name


def test_every_command_of_the_readme_exists() -> None:
    for name in re.findall(r"`(fairdarts(?: [a-z]+)+)", README):
        assert any(command.startswith(name) or name.startswith(command) for command in COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_placeholder_is_left(page: Path) -> None:
    assert not re.findall(r"QUICK[A-Z]+|COUNTTABLE|TODO|TBD", page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_sweep_file_of_the_docs_is_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "sweeps.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "example.toml"
    path.write_text(example, "utf-8")

    sweep = load_sweep(str(path))

    assert sweep.matrix[full_name("zero_one_weight")] == [0.0, 10.0]


@pytest.mark.parametrize("name", packaged_sweeps())
def test_packaged_sweeps_say_what_they_cost(name: str) -> None:
    sweep = load_sweep(name)
    assert sweep.name == name
    assert sweep.description
    assert sweep.cost
