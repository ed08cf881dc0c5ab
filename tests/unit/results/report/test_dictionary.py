"""The page of tables is generated, and the SQL of its questions answers them."""

import pytest
from repository import ROOT
from small_sweep import Trial, attempt, finish, finish_search, submit

from results.query.sql import query
from results.query.tables import Tables
from results.query.views import VIEWS
from results.report.dictionary import ABOUT, JOINS, page
from results.report.questions import QUESTIONS, Question
from results.store.layout import live_name
from results.store.store import Store


@pytest.fixture(scope="module")
def answerable(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which every question has an answer."""
    store = Store.create(tmp_path_factory.mktemp("answerable"))
    done = [Trial("fairdarts", 0), Trial("fairdarts", 1), Trial("darts", 0)]
    failed, pending = Trial("darts", 1), Trial("darts", 2)
    submit(store, "exp", 1, [*done, failed, pending])
    for number, trial in enumerate(done):
        finish(store, trial, 97.0 + number)
        row = {"stage_key": trial.retrain_key, "test_top1_pct": 97.0 + number, "val_epoch": 0}
        store.write_rows("retrains", live_name(trial.retrain_key, 1), [row | {"multadds": 10**8}])
        epoch = {"stage_key": trial.retrain_key, "epoch": 0, "val_top1_pct": 90.0 + number}
        store.write_rows("epochs", live_name(trial.retrain_key, 1), [epoch])
    finish_search(store, failed)
    on_gpu = {"wall_s": 60.0, "device": "H100", "num_gpus": 0.25, "energy_j": 3600.0}
    # Killed: whoever took the stage over knows its time, nobody its energy.
    attempt(store, failed.search_key, "search", "lost", number=2, **on_gpu | {"energy_j": None})
    attempt(store, failed.search_key, "search", "failed", number=3, **on_gpu)
    return store


def test_the_page_is_what_the_schema_says_now() -> None:
    assert (ROOT / "docs" / "tables.md").read_text("utf-8") == page(), (
        "run `make docs`, that is `python -m results.report.dictionary docs/tables.md`"
    )


def test_every_view_is_explained_and_its_joins_name_columns() -> None:
    assert ABOUT.keys() == JOINS.keys() == VIEWS.keys()
    for name, joins in JOINS.items():
        for join in joins:
            own, _, other = join.partition(" = ")
            table, _, column = other.partition(".")
            if column:
                assert VIEWS[name].column(own)
                assert VIEWS[table].column(column)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_at_most_three_lines_of_sql_answer_a_question(
    answerable: Store, question: Question
) -> None:
    assert len(question.sql.splitlines()) <= 3
    trial_id = Trial("fairdarts", 0).retrain_key
    answer = query(Tables(answerable), question.sql.replace("2ab0", trial_id[:8]))
    assert answer.num_rows


def test_the_answers_are_those_computed_by_hand(answerable: Store) -> None:
    answers = [
        query(Tables(answerable), question.sql).to_pylist()
        for question in QUESTIONS
        if "2ab0" not in question.sql
    ]
    means, _, best, failed, hours, _, missing = answers
    assert {row["group_label"]: (row["n"], row["mean"]) for row in means} == {
        "fairdarts": (2, 97.5),
        "darts": (1, 99.0),
    }
    assert best[0]["trial_id"] == Trial("darts", 0).retrain_key
    assert [row["reason"] for row in failed] == ["oom in search, OutOfMemoryError: 2 GiB"]
    (on_gpu,) = [row for row in hours if row["device"] == "H100"]
    assert on_gpu == {"method": "darts", "device": "H100"} | {
        "hours": pytest.approx(2 / 60),
        "gpu_hours": pytest.approx(2 / 60 / 4),
        "kwh": pytest.approx(0.001),
    }
    assert [row["outcome"] for row in missing] == ["failed", "unfinished"]
