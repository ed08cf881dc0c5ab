import math
import random
import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.errors import DamagedFile, StoreError
from results.query.aggregate import COUNTS, aggregate
from results.query.outcomes import trial_outcomes
from results.query.stats import mean_std, mean_std_over_searches
from results.report.render import render
from results.schema import SCHEMA, Column
from results.statuses import TrialOutcome
from results.store.codec import decode, encode
from results.store.layout import live_name, plan_name
from results.store.store import Store
from results.text import clean_text

PATH = Path("Rows.parquet")
"""No live file, whose name says what its rows are of."""
PERCENT = st.floats(0, 100)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): TEXT,
    pa.bool_(): st.booleans(),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(),
    pa.list_(pa.float32()): st.lists(st.floats(width=32), max_size=5),
    pa.list_(pa.float64()): st.lists(st.floats(), max_size=5),
    pa.list_(pa.string()): st.lists(TEXT, max_size=5),
    pa.timestamp("us", tz="UTC"): st.datetimes(
        datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)
    ),
}


def values_of(column: Column) -> st.SearchStrategy[Any]:
    return st.none() | VALUES[column.type]


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    table = draw(st.sampled_from(sorted(SCHEMA)))
    row = st.fixed_dictionaries({c.name: values_of(c) for c in SCHEMA[table].columns})
    return table, draw(st.lists(row, max_size=4))


def without_nan(value: Any) -> Any:
    """`value` with every NaN, which differs from itself, as a word."""
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


@given(tables())
@settings(max_examples=25, deadline=None)
def test_any_rows_survive_parquet(table_and_rows: tuple[str, list[dict[str, Any]]]) -> None:
    table, rows = table_and_rows

    found = decode(table, PATH, encode(table, rows)).to_pylist()

    assert len(found) == len(rows)
    for found_row, row in zip(found, rows, strict=True):
        assert found_row.keys() == row.keys()
        for name in row:
            assert without_nan(found_row[name]) == without_nan(row[name])


@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(DamagedFile):
        decode("epochs", PATH, content)


@given(st.text(max_size=80) | st.from_regex(r"[a-z0-9./_-]{1,20}", fullmatch=True))
def test_a_name_is_refused_or_stays_in_its_folder(name: str) -> None:
    store = Store(Path("/store"))
    cases: list[tuple[Callable[[], Path], str]] = [
        (lambda: store.sweep_dir(name), "/store/sweeps"),
        (lambda: store.live_path("trials", name), "/store/live/trials"),
        (lambda: store.live_path("epochs", name), "/store/live/epochs"),
    ]
    for path_of, parent in cases:
        try:
            path = path_of()
        except StoreError:
            continue
        assert path.parent == Path(parent)
        assert not path.name.startswith(".")


@given(st.lists(PERCENT, min_size=2, max_size=20), st.randoms(use_true_random=False))
def test_mean_and_std_agree_with_the_standard_library_in_any_order(
    values: list[float], shuffler: random.Random
) -> None:
    shuffled = shuffler.sample(values, len(values))

    summary = mean_std(values)

    assert mean_std(shuffled) == summary
    assert summary.mean == pytest.approx(statistics.fmean(values), abs=1e-10)
    assert summary.std == pytest.approx(statistics.stdev(values), abs=1e-10)


@given(st.lists(PERCENT, min_size=1, max_size=20), st.integers(1, 4))
def test_repeating_every_retraining_changes_neither_mean_nor_std(
    values: list[float], times: int
) -> None:
    searches = range(len(values))

    once = mean_std_over_searches(values, searches)
    repeated = mean_std_over_searches(values * times, [*searches] * times)

    assert repeated.n == once.n == len(values)
    assert repeated.mean == pytest.approx(once.mean, abs=1e-10)
    assert (repeated.std or 0) == pytest.approx(once.std or 0, abs=1e-10)


@given(st.text(max_size=50))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    cleaned = clean_text(text)

    assert clean_text(cleaned) == cleaned
    assert all(sign.isprintable() for sign in cleaned)
    cleaned.encode()


KINDS = ("search", "derive", "retrain")


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """For each trial: its group, its genotype and the attempts at its two stages."""
    attempts = st.lists(st.sampled_from(["running", "failed", "ok"]), max_size=2)
    trial = st.fixed_dictionaries(
        {
            "group": st.integers(0, 2),
            "search": attempts,
            "valid": st.sampled_from([None, True, False]),
            "retrain": attempts,
            "top1_pct": st.none() | PERCENT,
        }
    )
    return draw(st.lists(trial, max_size=5))


def write_history(store: Store, history: list[dict[str, Any]]) -> None:
    plan = []
    for index, trial in enumerate(history):
        keys = {kind: f"{place}{index:015x}" for place, kind in enumerate(KINDS)}
        plan.append(
            {
                "sweep": "exp",
                "submission": 1,
                "trial_id": keys["retrain"],
                "group_id": str(trial["group"]),
                "group_label": f"group {trial['group']}",
                **{f"{kind}_key": key for kind, key in keys.items()},
            }
        )
        for kind in ("search", "retrain"):
            for number, status in enumerate(trial[kind], start=1):
                row = {"stage_key": keys[kind], "attempt": number, "status": status, "kind": kind}
                store.write_rows("attempts", live_name(keys[kind], number), [row])
        if trial["valid"] is not None:
            row = {"stage_key": keys["derive"], "valid": trial["valid"]}
            store.write_rows("genotypes", live_name(keys["derive"], 1), [row])
        if trial["top1_pct"] is not None:
            row = {"stage_key": keys["retrain"], "test_top1_pct": trial["top1_pct"]}
            store.write_rows("retrains", live_name(keys["retrain"], 1), [row])
    store.write_rows("trials", plan_name("exp", 1), plan)


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_outcomes_add_up_and_their_order_never_changes_a_mean(
    history: list[dict[str, Any]], shuffler: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(folder)
        write_history(store, history)
        outcomes = trial_outcomes(store)

    assert len(outcomes) == len(history)
    assert set(outcomes["outcome"]) <= set(TrialOutcome)
    table = aggregate(outcomes)
    assert table["planned"].sum() == len(history)
    assert (table[list(COUNTS.values())].sum(axis=1) == table["planned"]).all()
    assert (table["complete"] == (table["num_ok"] == table["planned"])).all()

    order = shuffler.sample(range(len(outcomes)), len(outcomes))
    shuffled = aggregate(outcomes.iloc[order])
    for name in ("top1_pct_mean", "top1_pct_std"):
        before = dict(zip(table["group_id"], table[name], strict=True))
        after = dict(zip(shuffled["group_id"], shuffled[name], strict=True))
        assert {k: without_nan(v) for k, v in after.items()} == {
            k: without_nan(v) for k, v in before.items()
        }

    text = render(table)
    assert all(f"group {trial['group']}" in text for trial in history)
