"""Notebooks read the same rows that `fairdarts results table` counts."""

import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest
from small_sweep import NUM_ALPHAS, Trial, attempt, finish, finish_search, submit

import results
from results.errors import QueryError, StoreError
from results.query.views import VIEWS
from results.store.layout import live_name
from results.store.store import Store


def test_opening_imports_nothing_heavy_until_a_table_is_read() -> None:
    code = "import sys, results; print({'pandas', 'pyarrow', 'duckdb'} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_has_the_columns_it_declares_in_every_kind_of_frame(
    example: Store, name: str
) -> None:
    opened = results.open_store(example.root)
    columns = [column.name for column in VIEWS[name].columns]

    arrow = getattr(opened, name)(frame="arrow")
    assert isinstance(arrow, pa.Table)
    assert arrow.column_names == columns
    assert arrow.schema.types == VIEWS[name].arrow.types
    assert list(getattr(opened, name)().columns) == columns
    assert opened.sql(f"FROM {name}", frame="arrow").column_names == columns
    assert len(opened.sql(f"FROM {name}")) == len(arrow)


@pytest.mark.parametrize("name", VIEWS)
def test_the_key_of_every_view_names_one_row(example: Store, name: str) -> None:
    frame = getattr(results.open_store(example.root), name)()
    assert len(frame)
    assert not frame.duplicated(list(VIEWS[name].key)).any()


def test_polars_frames_have_the_same_values(example: Store) -> None:
    polars = pytest.importorskip("polars")
    frame = results.open_store(example.root).outcomes(frame="polars")
    assert isinstance(frame, polars.DataFrame)
    assert frame["test_top1_pct"].to_list()[:3] == [97.0, 97.2, 97.7]


def test_an_unknown_kind_of_frame_is_refused_with_those_there_are(example: Store) -> None:
    with pytest.raises(QueryError, match="must be one of pandas, arrow, polars"):
        results.open_store(example.root).trials(frame="list")  # type: ignore[arg-type]


def test_alphas_are_tidy_and_named(example: Store) -> None:
    opened = results.open_store(example.root)
    trial = opened.trials().iloc[1]
    alphas = opened.alphas(trial=trial["trial_id"][:8])

    assert set(alphas["stage_key"]) == {trial["search_key"]}
    assert alphas["epoch"].tolist() == [0] * NUM_ALPHAS + [1] * NUM_ALPHAS
    assert alphas["position"].tolist() == [*range(NUM_ALPHAS)] * 2
    last = alphas.iloc[-1]
    assert (last["cell"], last["edge"], last["operation"]) == ("reduce", 13, "dil_conv_5x5")
    assert (last["source"], last["destination"]) == (4, 5)
    assert last["alpha"] == pytest.approx(1.195)
    assert last["gate"] == pytest.approx(195 / 196)


def test_alphas_of_a_space_that_is_not_known_have_no_names(store: Store) -> None:
    trial = Trial("mine", 0, settings=(("space", "mine"),))
    submit(store, "exp", 1, [trial])
    finish_search(store, trial)

    alphas = results.open_store(store.root).alphas()

    assert len(alphas) == 2 * NUM_ALPHAS
    assert alphas["operation"].isna().all()
    assert alphas["alpha"].iloc[1] == pytest.approx(0.001)


def test_alphas_of_a_trial_without_a_search_are_refused(example: Store) -> None:
    opened = results.open_store(example.root)
    with pytest.raises(QueryError, match=r"\(random M=2 seed=0\) has no search"):
        opened.alphas(trial=opened.trials()["trial_id"].iloc[-1])
    with pytest.raises(StoreError, match="is no trial of the sweeps"):
        opened.alphas(trial=opened.trials()["group_id"].iloc[0])


def test_only_the_highest_attempt_of_a_stage_is_read_and_every_attempt_is_listed(
    store: Store,
) -> None:
    trial = Trial("darts", 0)
    submit(store, "exp", 1, [trial])
    finish(store, trial, 97.0)
    row = {"stage_key": trial.search_key, "epoch": 0, "attempt": 2}
    store.write_rows("epochs", live_name(trial.search_key, 2), [row])
    attempt(store, trial.search_key, "search", "lost", number=2)

    opened = results.open_store(store.root)

    assert opened.sql("SELECT attempt FROM epochs")["attempt"].tolist() == [2]
    attempts = opened.attempts()
    assert attempts[attempts["stage_key"] == trial.search_key]["newest"].tolist() == [False, True]
    assert attempts["newest"].sum() == attempts["stage_key"].nunique() == 3


def test_only_the_newest_submission_counts_unless_all_are_asked_for(store: Store) -> None:
    old, kept = (Trial("darts", seed) for seed in range(2))
    submit(store, "exp", 1, [old, kept])
    submit(store, "exp", 2, [kept])
    for trial in (old, kept):
        finish(store, trial, 97.0)

    assert results.open_store(store.root).left_out() == {"exp": 1}
    for name in ("trials", "outcomes", "retrains", "genotypes"):
        assert len(getattr(results.open_store(store.root), name)()) == 1, name
        everything = results.open_store(store.root, all_submissions=True)
        assert len(getattr(everything, name)()) == 2, name


def test_a_store_is_read_again_at_every_call(store: Store) -> None:
    trial = Trial("darts", 0)
    submit(store, "exp", 1, [trial])
    opened = results.open_store(store.root)
    assert opened.outcomes()["outcome"].tolist() == ["unfinished"]
    finish(store, trial, 97.0)
    assert opened.outcomes()["outcome"].tolist() == ["ok"]


def test_an_empty_store_has_empty_tables_with_all_columns(store: Store) -> None:
    opened = results.open_store(store.root)
    for name, view in VIEWS.items():
        frame = getattr(opened, name)()
        assert isinstance(frame, pd.DataFrame)
        assert list(frame.columns) == [column.name for column in view.columns]
        assert (len(frame) == 0) == (name != "reference")
