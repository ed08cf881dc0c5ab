"""The documents keep what they say: every command is in the README and has help, links resolve."""

import re
import shlex
import signal
from pathlib import Path

import pytest
from repository import ROOT

from cli import gallery
from cli.app import BAD_INPUT, READER_GONE
from cli.interrupt import FAILED_BY_SIGNAL, SIGNALS
from cli.plot import all_figures
from cli.reference import commands, examples, page
from orchestrate.planning.plan import plan
from orchestrate.planning.settings import full_name
from orchestrate.planning.sweep_file import load_sweep, packaged_sweeps
from orchestrate.statuses import Outcome, Status
from results.report.render import INCOMPLETE
from results.statuses import TrialOutcome

README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = commands()
MODULES = [
    path
    for package in ("cli", "fairdarts", "orchestrate", "results")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "`fairdarts " in path.read_text("utf-8")
]
EXAMPLES = [(name, line) for name, command in COMMANDS.items() for line in examples(command)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(name: str) -> None:
    assert f"`{name}" in README
    assert COMMANDS[name].help
    for parameter in COMMANDS[name].params:
        assert getattr(parameter, "help", "") or parameter.name == "help", parameter.name


def test_every_command_has_an_example() -> None:
    assert {name for name, _ in EXAMPLES} == COMMANDS.keys()


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_every_example_is_a_command_that_parses(name: str, line: str) -> None:
    assert line.startswith(name)
    words = shlex.split(line.partition(" > ")[0].removeprefix(name))
    context = COMMANDS[name].make_context(name, words)
    for assignment in context.params.get("set_") or []:
        full_name(assignment.partition("=")[0])


def test_the_ids_of_the_examples_are_those_of_the_quickstart() -> None:
    known = [trial.trial_id for trial in plan(load_sweep("quickstart"))]
    firsts = [line.removeprefix(name).split()[:1] for name, line in EXAMPLES]
    ids = {word for words in firsts for word in words if re.fullmatch("[0-9a-f]{4,16}", word)}
    assert ids
    assert {id_ for id_ in ids if not any(key.startswith(id_) for key in known)} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_only_options_that_the_command_has(name: str) -> None:
    command = COMMANDS[name]
    texts = [command.help, *(getattr(parameter, "help", "") or "" for parameter in command.params)]
    # What stands in backticks is another command, with options of its own.
    named = re.findall(r"--[a-z0-9-]+", re.sub(r"`[^`]*`", "", " ".join(texts)))
    assert set(named) <= {opt for parameter in command.params for opt in parameter.opts}


def named_commands(text: str) -> list[str]:
    """What stands in backticks, or on a line of a code block, and begins as a command."""
    lines = re.findall(r"^fairdarts [a-z].*", text, re.MULTILINE)
    return re.findall(r"`(fairdarts [a-z][^`\n]*)`", text) + lines


@pytest.mark.parametrize("path", [*PAGES, *MODULES], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_are_named_exist_with_the_options_named(path: Path) -> None:
    text = re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))  # Messages over several lines.
    for line in named_commands(text):
        names = [name for name in COMMANDS if line == name or line.startswith(f"{name} ")]
        is_group = any(name.startswith(f"{line.rstrip()} ") for name in COMMANDS)
        assert names or is_group, line
        options = re.findall(r"(?<=\s)--[a-z0-9-]+", line)
        known = {opt for name in names for param in COMMANDS[name].params for opt in param.opts}
        assert set(options) <= known | {"--help"}, line


def test_the_readme_explains_every_word_of_a_status_and_every_exit_code() -> None:
    tables = README[README.index("| word |") : README.index("**Interrupted?**")]
    for word in (*Status, *Outcome, *TrialOutcome, INCOMPLETE):
        assert re.search(rf"(?<![a-z]){word}(?![a-z])", tables), word
    ended = ", ".join(str(FAILED_BY_SIGNAL + getattr(signal, name)) for name in SIGNALS)
    for code in (0, 1, BAD_INPUT, ended, READER_GONE):
        assert f"| {code} |" in tables


def test_the_reference_is_what_the_commands_say_now() -> None:
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == page(), (
        "run `make docs`, that is `python -m cli.reference docs/cli.md`"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_placeholder_is_left(page: Path) -> None:
    assert not re.findall(r"QUICK[A-Z]+|COUNTTABLE|TODO|TBD", page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_code_that_the_readme_names_is_in_the_files_it_names() -> None:
    named = re.findall(r"\[([\w/]+\.py)\]\(\1\), ((?:`[\w.]+`(?:, )?)+)", README)
    assert len(named) > 10
    for file, names in named:
        code = (ROOT / file).read_text("utf-8")
        for name in re.findall(r"\w+", names):
            defined = rf"^ *(?:def |class ){name}\b|^{name}\b.*="
            assert re.search(defined, code, re.MULTILINE), f"{name} in {file}"


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


def test_the_page_of_figures_shows_every_figure_and_its_pictures_are_small() -> None:
    shown = (ROOT / "docs" / "figures.md").read_text("utf-8")
    assert shown == gallery.page(), (
        "run `make docs`, that is `python -m cli.gallery docs/figures.md`"
    )
    assert re.findall(r"^## (.+)$", shown, re.MULTILINE) == list(all_figures())
    pictures = list((ROOT / "docs" / "figures").iterdir())
    assert {file.stem for file in pictures} <= all_figures().keys()
    assert sum(file.stat().st_size for file in pictures) < 1_000_000
