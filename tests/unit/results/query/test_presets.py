import csv
import io
import math

import pytest
from small_sweep import Trial, attempt, finish, submit

from results.errors import QueryError
from results.query.aggregate import aggregate
from results.query.condition import where
from results.query.gates import with_gates
from results.query.outcomes import to_pandas, trial_outcomes
from results.query.presets import PRESETS, add_printed, preset
from results.query.reference import reference
from results.query.sql import query
from results.query.tables import Tables
from results.query.versus import add_versus
from results.report.render import render
from results.store.layout import live_name
from results.store.store import Store


def test_every_preset_names_numbers_that_the_paper_prints() -> None:
    printed = reference().to_pylist()
    names = {row["source"] for row in printed} | {f"{r['source']}: {r['label']}" for r in printed}
    assert {name for one in PRESETS.values() for name in one.printed} <= names
    with pytest.raises(QueryError, match="must be one of table1, table2, table3, w01"):
        preset("table4")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_chooses_by_columns_that_there_are(name: str, example: Store) -> None:
    tables = where(Tables(example), PRESETS[name].where)
    assert len(tables.planned) == {"table2": 0, "table1": 6, "table3": 6}.get(name, 5)


def test_printed_numbers_are_rows_that_enter_no_mean_and_no_test(store: Store) -> None:
    trials = [Trial(name, seed) for name in ("darts", "fairdarts") for seed in range(3)]
    submit(store, "exp", 1, trials)
    for trial in trials:
        finish(store, trial, 97.0 + trial.seed / 10)
    outcomes = trial_outcomes(store)
    measured = add_versus(aggregate(outcomes), outcomes, "darts")

    table = add_printed(measured, PRESETS["table3"])

    assert table.iloc[:2][measured.columns].astype(object).equals(measured.astype(object))
    printed = table.iloc[2:]
    assert printed["source"].str.startswith("arXiv:1911.12126, ").all()
    assert printed[["p", "difference", "planned_searches"]].isna().all(axis=None)
    row = printed.set_index("group_label").loc["random (M=2)"]
    assert (row["top1_pct_mean"], row["top1_pct_std"], row["n"]) == (97.01, 0.24, 7)

    text = render(table, dim=True)
    assert "\x1b[2mrandom (M=2)" in text
    assert "\x1b[2mfairdarts" not in text
    assert "*random (M=2)*" in render(table, "markdown")
    assert r"\textit{random (M=2)}" in render(table, "latex")
    as_csv = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert [row["n"] for row in as_csv[:2]] == ["3", "3"]


def test_a_preset_without_trials_shows_the_printed_numbers_alone(store: Store) -> None:
    table = add_printed(aggregate(trial_outcomes(store)), PRESETS["table2"])

    assert render(table).startswith("imagenet · no trial here; the paper prints\nMethod")
    assert len(table) == 22


def test_gates_are_those_of_the_epoch_that_was_derived_from(example: Store) -> None:
    tables = Tables(example)
    outcomes = with_gates(to_pandas(tables.read("outcomes")), tables)

    searched = outcomes[outcomes["search_key"].notna()]
    # Of the gates k / 196 twenty are at most 0.1, and nineteen at least 0.9.
    assert searched["polarised_pct"].dropna().tolist() == pytest.approx([100 * 39 / 196] * 3)
    row = aggregate(outcomes).iloc[0]
    assert row["polarised_pct_mean"] == pytest.approx(100 * 39 / 196)
    assert "Gates at 0 or 1 (%)" in render(aggregate(outcomes))


def test_searches_that_go_on_or_diverged_are_in_no_mean_of_gates(store: Store) -> None:
    done, begun, diverged = trials = [Trial("fairdarts", seed) for seed in range(3)]
    submit(store, "exp", 1, trials)
    finish(store, done, 97.0)
    last = store.read("epochs", [done.search_key]).to_pylist()[-1]
    for trial, gate, status in ((begun, 0.5, "running"), (diverged, math.nan, "failed")):
        row = last | {"stage_key": trial.search_key, "epoch": 0, "gates": [gate] * 196}
        store.write_rows("epochs", live_name(trial.search_key, 1), [row])
        attempt(store, trial.search_key, "search", status)
    tables = Tables(store)
    row = aggregate(with_gates(to_pandas(tables.read("outcomes")), tables)).iloc[0]
    assert row["polarised_pct_mean"] == pytest.approx(100 * 39 / 196)
    assert math.isnan(row["polarised_pct_std"])  # Of one search.


def test_printed_numbers_can_be_asked_in_sql(example: Store) -> None:
    sql = "SELECT test_top1_pct FROM reference WHERE source = 'Table 1' AND label = 'FairDARTS'"
    assert query(Tables(example), sql).to_pylist() == [{"test_top1_pct": 97.46}]
