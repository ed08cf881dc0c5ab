"""Sweeps of every released version of the schema are read, sealed, passed on and continued.

See `golden_sweeps.py`, which made them with the code of those versions.
"""

import json
import tarfile
from pathlib import Path

import pytest
from golden_sweeps import SWEEP, rows_of
from in_process import exit_code

from orchestrate.planning.plan import plan
from orchestrate.planning.submission import load_submission, submit
from orchestrate.planning.sweep_file import load_sweep
from orchestrate.running.exporting import export_sweep
from orchestrate.running.importing import import_sweep
from orchestrate.running.runner import run_here
from orchestrate.running.sealing import seal_finished
from orchestrate.running.status import sweep_status
from results.query.outcomes import trial_outcomes
from results.store.store import Store
from results.version import SCHEMA_MAJOR, SCHEMA_MINOR

ARCHIVES = {path.name.removesuffix(".tar.xz"): path for path in SWEEP.parent.glob("*.tar.xz")}
OTHER_KEYS = {"1.0", "1.1"}
"""Versions whose searches computed something else than today's, so that they have other keys."""
SAID = {
    ("results", "table"): "fairdarts     1 of 3      1 of 3",
    ("results", "sql", "SELECT label, outcome FROM outcomes"): "fairdarts seed=1      unfinished",
    ("sweep", "status", "golden"): "4 trials: 2 done, 1 lost, 1 failed",
    ("store", "check"): "No fault found.",
}


@pytest.fixture(params=sorted(ARCHIVES))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(version: str, tmp_path: Path) -> Store:
    with tarfile.open(ARCHIVES[version]) as archive:
        archive.extractall(tmp_path, filter="data")
    return Store.open(tmp_path / "store")


def test_every_version_has_its_golden_sweep() -> None:
    assert sorted(ARCHIVES) == [f"{SCHEMA_MAJOR}.{minor}" for minor in range(SCHEMA_MINOR + 1)]


def test_rows_are_those_that_the_version_wrote_also_when_they_are_sealed(store: Store) -> None:
    written = json.loads((store.root.parent / "rows.json").read_text("utf-8"))
    assert rows_of(store) == written

    assert seal_finished(store) == 5

    assert rows_of(store) == written


@pytest.mark.parametrize("words", SAID, ids=lambda words: " ".join(words[:2]))
def test_commands_understand_it(
    store: Store, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*words, "--store", store.root) == 0

    assert SAID[words] in capsys.readouterr().out


@pytest.mark.slow
def test_it_can_be_given_to_another_lab(store: Store, tmp_path: Path) -> None:
    export_sweep(store, "golden", tmp_path / "folder", weights=False)
    other = Store.create(tmp_path / "other")

    import_sweep(other, tmp_path / "folder")

    there, here = (trial_outcomes(one, ["golden"]) for one in (other, store))
    assert there["outcome"].tolist() == here["outcome"].tolist()
    assert there["test_top1_pct"].equals(here["test_top1_pct"])


@pytest.mark.slow
def test_it_is_continued_or_computed_anew_beside_the_old_results(
    store: Store, version: str
) -> None:
    sweep = load_sweep(str(SWEEP))
    before = store.read("retrains").to_pylist()

    ended = run_here(store, submit(store, "golden", plan(sweep), sweep.resources))

    is_new = version in OTHER_KEYS
    assert [one.status for one in ended] == ["done", "done", "done" if is_new else "failed", "done"]
    rows = store.read("attempts").to_pylist()
    resumed = [row["kind"] for row in rows if row["resumed_from_epoch"] is not None]
    assert resumed == ([] if is_new else ["search"])
    after = store.read("retrains").to_pylist()
    assert all(row in after for row in before)
    assert len(after) == len(before) + (4 if is_new else 1)
    assert sweep_status(store, load_submission(store, "golden").trials) == ended
