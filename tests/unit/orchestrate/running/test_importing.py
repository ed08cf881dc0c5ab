"""An exported sweep is imported as it was: all of it or nothing, and nothing in it is trusted."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from recorded_trials import answers, copy, fail_stage, finish_stage, submit_trials, write_sweeps
from storage_faults import FAULTS, Disk, failing
from tiny_sweeps import tiny_trials

from orchestrate.errors import SweepError
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import load_submission
from orchestrate.running.bundle import entries
from orchestrate.running.deletion import delete, doomed, remove_deleted
from orchestrate.running.exporting import export_sweep
from orchestrate.running.importing import import_sweep
from orchestrate.running.sealing import seal_finished
from orchestrate.running.status import sweep_status
from orchestrate.running.store_check import store_faults
from results.errors import StoreError
from results.query.tables import Tables
from results.store.store import Store

SLOW = (pytest.mark.slow, pytest.mark.timeout(3600))
EVERY = 42
"""Without `slow`, every so many steps fail."""
Rows = dict[str, list[str]]


@pytest.fixture(scope="module")
def mine() -> list[TrialSpec]:
    return tiny_trials(matrix={"seed": [0, 1, 2]})


@pytest.fixture(scope="module")
def other() -> list[TrialSpec]:
    """Its search with seed 0 is that of a trial of mine."""
    return tiny_trials("retrain.epochs=3", matrix={"seed": [0, 9]})


@pytest.fixture(scope="module")
def theirs(
    mine: list[TrialSpec], other: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory
) -> Store:
    store = Store.create(tmp_path_factory.mktemp("theirs"))
    write_sweeps(store, mine, other, is_sealed=True)
    return store


@pytest.fixture(scope="module")
def exported(theirs: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "mine"
    export_sweep(theirs, "mine", folder, weights=False)
    return folder


@pytest.fixture(scope="module")
def here(other: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of another lab, with the other sweep."""
    store = Store.create(tmp_path_factory.mktemp("here"))
    submit_trials(store, "other", other)
    for trial in other:
        for stage in trial.stages:
            finish_stage(store, stage)
    return store


@pytest.fixture
def store(here: Store, tmp_path: Path) -> Store:
    return copy(here, tmp_path / "store")


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported, tmp_path / "folder")


def rows_of(store: Store) -> Rows:
    tables = Tables(store)
    names = ("trials", "outcomes", "attempts", "epochs", "genotypes", "retrains")
    rows = {name: tables.read(name) for name in names}
    aside = {"planned_at", "submission"}  # When and as which number each lab has planned it.
    return {
        name: sorted(
            str({column: value for column, value in row.items() if column not in aside})
            for row in of.to_pylist()
        )
        for name, of in rows.items()
    }


def test_tables_of_two_labs_that_are_merged_are_those_of_both(
    theirs: Store, store: Store, exported: Path
) -> None:
    imported = import_sweep(store, exported)

    assert rows_of(store) == rows_of(theirs)
    assert (imported.num_submissions, imported.num_stages, imported.num_known) == (2, 5, 2)
    trials = load_submission(store, "mine").trials
    statuses = sweep_status(store, trials)
    assert statuses == [  # but for the folders
        one if one.state.folder is None else mine
        for one, mine in zip(sweep_status(theirs, trials), statuses, strict=True)
    ]
    assert [one.status for one in statuses] == ["done", "done", "failed"]
    assert store_faults_of(store) == []


def store_faults_of(store: Store) -> list[str]:
    return [
        f"{fault.path.name} {fault.what}"
        for fault in store_faults(store)
        if fault.path.parent.name != "checkpoints"  # Those here are not real.
    ]


def test_to_import_again_changes_nothing(store: Store, exported: Path) -> None:
    import_sweep(store, exported)
    before = answers(store), store.manifest()

    again = import_sweep(store, exported)

    assert (again.num_submissions, again.num_stages) == (0, 0)
    assert (answers(store), store.manifest()) == before


def test_a_sweep_that_has_grown_is_imported_again(
    theirs: Store, mine: list[TrialSpec], store: Store, exported: Path, tmp_path: Path
) -> None:
    import_sweep(store, exported)
    grown = copy(theirs, tmp_path / "grown")
    fail_stage(grown, mine[2].stages[0], number=2)
    submit_trials(grown, "mine", [*mine, *tiny_trials(matrix={"seed": [7]})])
    finish_stage(grown, mine[2].stages[0], number=3)
    export_sweep(grown, "mine", tmp_path / "again", weights=False)

    imported = import_sweep(store, tmp_path / "again")

    assert (imported.num_submissions, imported.num_stages) == (1, 1)
    assert len(load_submission(store, "mine").trials) == 4
    attempts = store.read("attempts", [mine[2].stages[0].key]).to_pylist()
    # The failed attempt was imported before, and the three of the second export follow it.
    assert [row["attempt"] for row in attempts] == [2, 3, 4, 1] or len(attempts) == 4


def test_a_deleted_sweep_can_be_imported_again(
    theirs: Store, exported: Path, tmp_path: Path
) -> None:
    store = copy(theirs, tmp_path / "store")
    before = rows_of(store)["outcomes"]
    delete(doomed(store, "mine"))

    import_sweep(store, exported)

    assert len(rows_of(store)["outcomes"]) == len(before)
    assert [one.status for one in sweep_status(store, load_submission(store, "mine").trials)] == [
        "done",
        "done",
        "failed",
    ]
    remove_deleted(store)
    seal_finished(store)
    assert store_faults_of(store) == []


def test_another_sweep_of_the_same_name_is_imported_under_another_name(
    store: Store, mine: list[TrialSpec], exported: Path
) -> None:
    submit_trials(store, "mine", mine[2:])
    with pytest.raises(SweepError, match=r"has another sweep 'mine'.*--as NAME"):
        import_sweep(store, exported)

    import_sweep(store, exported, "theirs")

    assert store.sweep_names() == ["mine", "other", "theirs"]
    assert len(load_submission(store, "theirs").trials) == 3


def test_other_results_of_the_same_stage_are_refused(
    store: Store, mine: list[TrialSpec], exported: Path
) -> None:
    finish_stage(store, mine[1].stages[0], loss=0.75)
    before = answers(store)

    with pytest.raises(SweepError, match=f"both have stage {mine[1].stages[0].key}, with other"):
        import_sweep(store, exported)

    assert answers(store) == before


def test_a_plan_may_have_settings_that_today_does_not_have(
    theirs: Store, store: Store, folder: Path
) -> None:
    """Only those of today are checked."""
    old = '"epochs": 2, "was_removed": true'
    altered(
        "submissions.json",
        lambda plans: json.loads(json.dumps(plans).replace('"epochs": 2', old)),
    )(folder)

    import_sweep(store, folder)

    assert len(rows_of(store)["outcomes"]) == len(rows_of(theirs)["outcomes"])


def test_weights_are_exported_by_choice(
    theirs: Store, mine: list[TrialSpec], store: Store, tmp_path: Path
) -> None:
    import hashlib

    records = theirs.stage_dir("retrain", mine[0].trial_id) / "checkpoints"
    record = records / "a0001-e000002.json"
    sha256 = hashlib.sha256(b"weights").hexdigest()
    record.write_text(json.dumps({"epoch": 2, "sha256": sha256, "bitwise_key": "x"}))
    export_sweep(theirs, "mine", tmp_path / "folder", weights=True)
    name = f"{mine[0].trial_id}.safetensors"
    assert [path.name for path in (tmp_path / "folder" / "weights").iterdir()] == [name]

    import_sweep(store, tmp_path / "folder")

    copied = store.stage_dir("retrain", mine[0].trial_id) / "checkpoints"
    assert (copied / "a0001-e000002.safetensors").read_bytes() == b"weights"
    assert json.loads((copied / "a0001-e000002.json").read_text())["sha256"] == sha256


def signed(folder: Path) -> None:
    """Give the folder the right sizes and checksums, as its forger would."""
    index = json.loads((folder / "BUNDLE.json").read_text())
    index["files"] = entries({name: folder / name for name in index["files"]})
    (folder / "BUNDLE.json").write_text(json.dumps(index))


def altered(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def alter(folder: Path) -> None:
        value = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(change(value)))
        if name != "BUNDLE.json":
            signed(folder)

    return alter


def with_file(name: str) -> Callable[[Any], Any]:
    entry = {"num_bytes": 1, "sha256": "0" * 64}
    return lambda index: index | {"files": index["files"] | {name: entry}}


def linked(folder: Path) -> None:
    (folder / "epochs.parquet").rename(folder.parent / "elsewhere")
    (folder / "epochs.parquet").symlink_to(folder.parent / "elsewhere")


def huge(folder: Path) -> None:
    with (folder / "epochs.parquet").open("wb") as file:
        file.truncate(1 << 43)
    altered(
        "BUNDLE.json",
        lambda index: (
            index
            | {"files": index["files"] | {"epochs.parquet": {"num_bytes": 1 << 43, "sha256": ""}}}
        ),
    )(folder)


def pipe(folder: Path) -> None:
    (folder / "epochs.parquet").unlink()
    os.mkfifo(folder / "epochs.parquet")


def expanding(folder: Path) -> None:
    """A small file with rows that take thousands of times its size."""
    table = pq.read_table(folder / "attempts.parquet").slice(0, 1)
    place = table.schema.get_field_index("error_message")
    table = table.set_column(place, table.schema.field(place), [["x" * (1 << 20)]])
    import pyarrow as pa

    pq.write_table(pa.concat_tables([table] * 200).combine_chunks(), folder / "attempts.parquet")
    signed(folder)


def without_rows(table: str) -> Callable[[Path], None]:
    def drop(folder: Path) -> None:
        rows = pq.read_table(folder / f"{table}.parquet")
        pq.write_table(rows.slice(0, 0), folder / f"{table}.parquet")
        signed(folder)

    return drop


UNKNOWN_WEIGHTS = f"weights/{'a' * 16}.safetensors"
HOSTILE: dict[str, Callable[[Path], None]] = {
    "a name that leads out": altered("BUNDLE.json", with_file("../../../etc/passwd")),
    "an absolute name": altered("BUNDLE.json", with_file("/etc/passwd")),
    "a file that nobody knows": altered("BUNDLE.json", with_file("weights/x.safetensors")),
    "weights that are not there": altered(
        "BUNDLE.json", with_file(f"weights/{'a' * 16}.safetensors")
    ),
    "a link": linked,
    "a file of terabytes": huge,
    "a pipe": pipe,
    "rows that take much more than their file": expanding,
    "no rows": without_rows("epochs"),
    "no attempts": without_rows("attempts"),
    "a sweep named ..": altered("BUNDLE.json", lambda index: index | {"sweep": "../x"}),
    "a newer version": altered("BUNDLE.json", lambda index: index | {"version": 2}),
    "a list for an index": altered("BUNDLE.json", lambda index: [index]),
    "a key that is a path": altered(
        "stages.json", lambda stages: [stages[0] | {"key": "../" * 5 + "x"}, *stages[1:]]
    ),
    "a negative attempt": altered(
        "stages.json", lambda stages: [stages[0] | {"attempt": -1}, *stages[1:]]
    ),
    "a stage twice": altered("stages.json", lambda stages: [*stages, stages[0]]),
    "failures of another form": altered(
        "stages.json", lambda stages: [stages[0] | {"failures": [{"attempt": "x"}]}, *stages[1:]]
    ),
    "no plans": altered("submissions.json", lambda plans: []),
    "plans that are text": altered("submissions.json", lambda plans: ["x"]),
    "a plan without trials": altered("submissions.json", lambda plans: [{}]),
    "settings that cannot be": altered(
        "submissions.json",
        lambda plans: json.loads(json.dumps(plans).replace('"epochs": 2', '"epochs": -2')),
    ),
    "a time of another form": altered(
        "submissions.json", lambda plans: [plan | {"planned_at": "soon"} for plan in plans]
    ),
    "a missing table": lambda folder: (folder / "retrains.parquet").unlink(),
    "a flipped byte": lambda folder: (folder / "retrains.parquet").write_bytes(
        (folder / "retrains.parquet").read_bytes()[:-9] + b"x" * 9
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_folder_is_refused_in_one_sentence(store: Store, folder: Path, what: str) -> None:
    HOSTILE[what](folder)
    before = tree(store)

    with pytest.raises((SweepError, StoreError)) as caught:
        import_sweep(store, folder)

    assert "\n" not in str(caught.value)
    assert tree(store) == before


def tree(store: Store) -> dict[str, bytes]:
    return {
        str(path.relative_to(store.root)): path.read_bytes()
        for path in store.root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("fault", "every"),
    [
        ("kill", EVERY),
        ("power", EVERY),
        *(pytest.param(fault, 1, marks=SLOW) for fault in FAULTS),
    ],
)
def test_a_fault_at_any_step_leaves_the_store_as_before_or_with_the_whole_sweep(
    here: Store, exported: Path, tmp_path: Path, fault: str, every: int
) -> None:
    after, count = copy(here, tmp_path / "after"), Disk()
    with failing(count):
        import_sweep(after, exported)
    allowed = [answers(here), answers(after)]
    assert allowed[0] != allowed[1]
    print(f"{count.steps} steps fail")

    for at in range(1, count.steps + 1, every):
        store = copy(here, tmp_path / f"{at}")
        with failing(Disk(fault, at)):
            import_sweep(store, exported)
        # The process that was killed in the store is alive outside of it.
        shutil.rmtree(store.root / "drivers", ignore_errors=True)
        found = answers(store)
        assert found in allowed, f"step {at}"
        remove_deleted(store)
        seal_finished(store)
        import_sweep(store, exported)
        assert rows_of(store)["outcomes"] == rows_of(after)["outcomes"], f"step {at}, then again"
        shutil.rmtree(store.root)
