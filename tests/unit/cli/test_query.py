"""`results sql` and `results export` as a person calls them."""

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from in_process import exit_code
from small_sweep import Trial, submit, write_example

from cli.app import BAD_INPUT
from cli.tables import TableFormat
from results.report.questions import QUESTIONS, Question
from results.store.store import Store

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store.create(tmp_path_factory.mktemp("store"))
    write_example(store)
    return store.root


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit code, stdout and stderr of a command."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setenv("FAIRDARTS_STORE", str(root))
        return exit_code(*arguments), *capsys.readouterr()

    return run


def test_a_query_is_answered_as_text_or_as_json(run: Run) -> None:
    sql = "SELECT outcome, count(*) AS n FROM outcomes GROUP BY ALL ORDER BY n DESC, outcome"
    code, out, _ = run("results", "sql", sql)
    assert (code, out) == (0, "outcome     n\nok          4\nfailed      1\nunfinished  1\n")
    _, out, _ = run("results", "sql", sql, "--format", "json")
    assert json.loads(out)[0] == {"outcome": "ok", "n": 4}


def test_a_query_may_stand_in_a_file_and_its_answer_go_to_one(run: Run, tmp_path: Path) -> None:
    question, answer = tmp_path / "question.sql", tmp_path / "answer.csv"
    question.write_text("-- how many\nSELECT count(*) AS n FROM trials;\n")
    arguments = ("results", "sql", "--file", question, "--format", "csv", "-o", answer)
    assert run(*arguments) == (0, "", "")
    assert answer.read_text() == "n\n6\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["COPY trials TO 'x.csv'"], "error: sql must be a query"),
        (["SELECT 1", "--file", "x"], "error: give one query"),
        (["--file", "missing.sql"], "error: missing.sql: No such file"),
        (["SELECT 1", "--format", "parquet"], "error: --format parquet is for a file"),
        (["SELECT topp FROM trials"], "Candidate bindings"),
    ],
)
def test_a_wrong_call_is_one_sentence(run: Run, arguments: list[str], message: str) -> None:
    code, out, err = run("results", "sql", *arguments)
    assert (code, out, err.count("\n")) == (BAD_INPUT, "", 1)
    assert message in err


class Terminal(io.StringIO):
    """Standard input of somebody who types."""

    def isatty(self) -> bool:
        return True


def test_the_prompt_answers_until_it_is_left(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = "SELECT count(*) AS n\nFROM trials;\nSELECT topp FROM trials;\nSELECT 7 AS x;\nquit\n"
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    code, out, err = run("results", "sql")
    assert code == 0
    assert "sql> ...> n\n6\nsql> sql> x\n7\nsql> " in out
    assert err.startswith("error: Binder Error") and err.count("\n") == 1


def test_queries_of_a_pipe_are_answered_up_to_a_wrong_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS a;\nSELECT x;\nSELECT 2 AS b;\n"))
    code, out, err = run("results", "sql")
    assert (code, out) == (BAD_INPUT, "a\n1\n")
    assert err.startswith("error: Binder Error")


def test_a_condition_chooses_the_trials_of_every_verb(run: Run) -> None:
    where = ("--where", "method = 'random'", "--format", "json")
    _, out, _ = run("results", "table", *where)
    assert [row["method"] for row in json.loads(out)] == ["random"]
    _, out, _ = run("results", "sql", "SELECT count(*) AS n FROM retrains", *where)
    assert json.loads(out) == [{"n": 1}]
    code, _, err = run("results", "best", "--where", "method = 'nothing'")
    assert code == BAD_INPUT
    assert "leaves none of 6 trials" in err
    code, _, err = run("results", "table", "--where", " ")
    assert (code, "where is empty" in err) == (BAD_INPUT, True)


VERBS = (
    ("table",),
    ("table", "--preset", "table3", "--versus", "random"),
    ("compare", "fairdarts", "random"),
    ("best", "--by", "test"),
    ("power", "0.13"),
    ("checklist",),
    ("sql", "FROM outcomes"),
)


@pytest.mark.parametrize(
    "verb",
    [pytest.param(verb, marks=[] if len(verb) == 3 else pytest.mark.slow) for verb in VERBS],
    ids=" ".join,
)
def test_every_verb_prints_latex_json_and_parquet(
    run: Run, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    for format_ in (TableFormat.LATEX, TableFormat.JSON, TableFormat.PARQUET):
        file = tmp_path / f"table.{format_}"
        code, out, err = run("results", *verb, "--format", format_.value, "-o", file)
        assert (code, out) == (0, ""), err
        assert file.stat().st_size
    table = pq.read_table(tmp_path / "table.parquet")
    rows = json.loads((tmp_path / "table.json").read_text())
    assert table.num_rows == len(rows)
    assert set(table.column_names) == set(rows[0])
    assert "null" not in map(str, table.schema.types)


@pytest.mark.parametrize("verb", [("table",), ("table", "--versus", "fairdarts")], ids=" ".join)
def test_types_in_parquet_do_not_depend_on_values(
    run: Run, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    schemas = []
    file = tmp_path / "table.parquet"
    for condition in ("true", "method = 'fairdarts'", "search_seed = 0"):
        run("results", *verb, "--where", condition, "--format", "parquet", "-o", file)
        schemas.append(pq.read_schema(file))
    first, *others = schemas
    assert others == [first, first]
    assert not any(str(field.type).endswith("null") for field in first)
    assert {"n", "planned"} <= {field.name for field in first if field.type == "int64"}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_the_line_of_every_question_runs(run: Run, question: Question) -> None:
    trial_id = Trial("fairdarts w=10", 0).retrain_key
    words = shlex.split(question.line.replace("2ab0", trial_id[:8]))
    code, out, err = run(*words[1:])
    assert code == 0, err
    assert out


def test_the_tables_are_exported_and_named(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("results", "export", "--tables", tmp_path / "tables", "exp")
    assert code == 0
    assert f"{tmp_path}/tables/trials.parquet  6 rows\n" in out
    code, _, err = run("results", "export", "--tables", tmp_path / "tables")
    assert code == BAD_INPUT
    assert "exists already" in err


def test_every_table_says_what_it_leaves_out(tmp_path: Path, run: Run) -> None:
    store = Store.create(tmp_path)
    submit(store, "own", 1, [Trial("darts", seed) for seed in range(6)])
    submit(store, "own", 2, [Trial("darts", seed) for seed in range(4)])
    left_out = (
        "Left out: 2 trials of own that only earlier submissions planned; `--all-submissions` "
        "includes them.\n"
    )
    _, out, err = run("results", "table", "--store", tmp_path)
    assert ("0 of 4" in out, err) == (True, left_out)
    _, _, err = run("results", "sql", "SELECT 1", "--store", tmp_path)
    assert err == left_out
    _, out, err = run("results", "table", "own", "--all-submissions", "--store", tmp_path)
    assert ("0 of 6" in out, err) == (True, "")


@pytest.mark.parametrize("format_", ["text", "markdown", "latex", "csv"])
def test_a_condition_says_what_it_leaves_out_on_the_screen_and_in_files(
    run: Run, tmp_path: Path, format_: str
) -> None:
    where = ("--where", "outcome = 'ok'", "--format", format_)
    said = "4 of 6 planned trials: those with `outcome = 'ok'`. Left out: 1 failed, 1 unfinished."
    _, out, err = run("results", "table", *where)
    assert (said in err, said in out) == (True, False)
    path = tmp_path / "table"
    _, _, err = run("results", "table", *where, "-o", path)
    assert said in err
    assert ("Left out: 1 failed, 1 unfinished." in path.read_text()) == (format_ != "csv")
    _, _, err = run("results", "table", "--where", "true")
    assert err == ""


def test_the_best_by_test_comes_with_a_warning(run: Run) -> None:
    code, out, err = run("results", "best", "-k", 1, "--by", "test", "--format", "json")
    assert code == 0
    assert [row["rank"] for row in json.loads(out)] == [1]
    assert "biased upwards" in err
    code, _, err = run("results", "best")
    assert code == BAD_INPUT
    assert "val_top1_pct" in err


def test_two_trials_are_compared(run: Run) -> None:
    _, out, _ = run("results", "sql", "SELECT trial_id FROM trials LIMIT 2", "--format", "csv")
    ids = out.split()[1:]
    for where in ("", "method = 'fairdarts'"):
        code, out, _ = run("results", "diff", *ids, *(["--where", where] if where else []))
        assert code == 0
        assert ["search.seed", "0", "1"] in [line.split() for line in out.splitlines()]
    code, _, err = run("results", "diff", *ids, "--where", "method = 'random'")
    assert (code, "not of one that was asked for" in err) == (BAD_INPUT, True)
