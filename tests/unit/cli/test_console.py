"""Output that any console can show, that cannot steer a terminal, and whose loss is an error."""

from pathlib import Path

import pytest
from command_process import run, run_in_shell
from small_sweep import write_example

from results.store.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose table has a ±, a · and a ▲."""
    root = tmp_path_factory.mktemp("store")
    write_example(Store.create(root))
    return root


@pytest.mark.parametrize(("encoding", "lacking"), [("ascii", "±·▲"), ("cp437", "▲")])
def test_a_table_is_legible_in_encodings_that_lack_its_signs(
    encoding: str, lacking: str, store: Path
) -> None:
    done = run("results", "table", "--store", store, env={"PYTHONIOENCODING": "utf-8"})
    env = {"PYTHONIOENCODING": encoding}
    coded = run("results", "table", "--store", store, env=env, encoding=encoding)

    assert coded.returncode == 0, coded.stderr
    expected = done.stdout
    for sign, instead in {"±": "+-", "·": "-", "▲": "!"}.items():
        assert sign in expected
        if sign in lacking:
            expected = expected.replace(sign, instead)
    assert coded.stdout == expected


def test_help_is_ascii_on_an_ascii_console() -> None:
    done = run("results", "--help", env={"PYTHONIOENCODING": "ascii"}, encoding="ascii")

    assert done.returncode == 0
    assert "means +- sample std" in done.stdout


def test_an_error_is_legible_where_its_signs_are_not_known() -> None:
    done = run("arch", "show", "Größe±", env={"PYTHONIOENCODING": "ascii"})

    assert done.returncode == 2
    assert "'Gr\\xf6\\xdfe+-' is not a published genotype" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["arch", "show", "FairDARTS_a"], ["sweep", "list"]], ids=" ".join
)
def test_a_stdout_that_cannot_be_written_is_a_fault_of_its_own(arguments: list[str]) -> None:
    full = run_in_shell('"$@" > /dev/full', *arguments)
    closed = run_in_shell('"$@" >&-', *arguments)
    reader_gone = run_in_shell('"$@" | true; exit ${PIPESTATUS[0]}', *arguments)

    message = "error: cannot write to standard output: {}.\n"
    assert (full.returncode, full.stderr) == (2, message.format("No space left on device"))
    assert (closed.returncode, closed.stderr) == (2, message.format("it is closed"))
    # A short text may be written before the reader has gone.
    assert (reader_gone.returncode, reader_gone.stderr) in [(141, ""), (0, "")]


def test_a_reader_that_has_gone_ends_a_command_without_words() -> None:
    done = run_in_shell('"$@" | head -1; exit ${PIPESTATUS[0]}', "sample", "--count", "500")

    assert (done.returncode, done.stderr) == (141, "")
    assert done.stdout.count("\n") == 1


def test_closed_standard_streams_do_not_become_files(store: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.txt"

    done = run_in_shell('"$@" <&- >&- 2>&-', "results", "table", "--store", store, "-o", table)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert table.read_text() == run("results", "table", "--store", store).stdout.rstrip("\n") + "\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["arch", "show", "a\x1b[31mb\x9bc"],
        ["a\x1b[31mb\x9bc"],
        ["results", "table", "a\x1b[31mb\x9bc"],
    ],
    ids=["argument", "command", "sweep"],
)
def test_names_cannot_steer_the_terminal(arguments: list[str], store: Path) -> None:
    done = run(*arguments, env={"FAIRDARTS_STORE": str(store)})

    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert "\x9b" not in done.stderr


def test_the_name_of_a_file_is_shown_on_one_line_and_without_its_controls(tmp_path: Path) -> None:
    path = tmp_path / "name\x1b[31m\nof \x9b a file.json"
    path.write_text('{"normal": []}')

    done = run("arch", "show", path)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "\x1b" not in done.stderr
