"""Rows that have nothing but their keys, as another program may write them, end in no traceback."""

from pathlib import Path

import pytest
from damages import said
from recorded_trials import finish_trial, submit_trials
from tiny_sweeps import tiny_trials

from results.store.store import Store

KEPT = {"stage_key", "attempt", "kind", "status", "epoch"}
VERBS: tuple[tuple[str, ...], ...] = (
    ("results", "table", "--versus", "fairdarts"),
    ("results", "compare", "fairdarts", "random"),
    ("results", "best", "--by", "test"),
    ("results", "corr"),
    ("results", "checklist"),
    ("results", "power", "0.5"),
    ("results", "sql", "SELECT * FROM outcomes"),
    ("sweep", "status", "mine"),
    ("sweep", "status", "mine", "--format", "json"),
    ("show", "mine"),
    ("store", "check"),
)
SLOW: tuple[tuple[str, ...], ...] = (
    ("results", "report"),
    *(("results", "plot", name) for name in ("seeds", "curves", "ranking", "timeline", "gates")),
    *(("results", "plot", name) for name in ("accuracy-cost", "dominance-by-weight", "alphas")),
)


TABLES = (
    "attempts",
    *(pytest.param(table, marks=pytest.mark.slow) for table in ("epochs", "genotypes", "retrains")),
)


@pytest.fixture(scope="module", params=TABLES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which one table has nothing but keys."""
    store = Store.create(tmp_path_factory.mktemp("store"))
    trials = tiny_trials(matrix={"seed": [0, 1]}, random=[{"models": 1}])
    submit_trials(store, "mine", trials)
    for trial in trials:
        finish_trial(store, trial)
    for path in (store.root / "live" / request.param).glob("*.parquet"):
        rows = store.read(request.param, [path.name[:16]]).to_pylist()
        few = [{name: row[name] for name in KEPT & row.keys()} for row in rows]
        store.write_rows(request.param, path.stem, few)
    return store


def test_no_verb_ends_in_a_traceback(store: Store) -> None:
    for verb in VERBS:
        found = said(*verb, "--store", str(store.root))
        assert isinstance(found.code, int | None), f"{verb}: {found}"


@pytest.mark.slow
def test_no_figure_and_no_report_ends_in_a_traceback(store: Store, tmp_path: Path) -> None:
    for verb in SLOW:
        file = tmp_path / ("report.html" if "report" in verb else "figure.svg")
        found = said(*verb, "-o", str(file), "--store", str(store.root))
        assert isinstance(found.code, int | None), f"{verb}: {found}"
