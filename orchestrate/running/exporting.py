"""Writes a sweep of a store to a folder that anybody can read, and another store can import."""

import json
from pathlib import Path
from typing import Any

from orchestrate.errors import SweepError
from orchestrate.planning.plan import StageSpec
from orchestrate.planning.submission import load_submission
from orchestrate.running.bundle import (
    FORMAT,
    INDEX,
    README,
    STAGES,
    SUBMISSIONS,
    TABLES,
    VERSION,
    WEIGHTS,
    entries,
    table_name,
    weights_name,
)
from orchestrate.running.drivers import live_drivers
from orchestrate.stages.checkpoints import load_checkpoint
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import stage_state
from orchestrate.statuses import Outcome, Status
from results.schema import SCHEMA
from results.store.attempt_files import failure_of
from results.store.attempts import read_attempts
from results.store.files import read_json, whole_folder
from results.store.layout import PLAN_TABLE
from results.store.store import Store

TOGETHER = 1000
"""Rows of this many stages are in memory together."""
ABOUT = """The sweep {sweep} of fairdarts: plans, results and attempts of its trials.

The *.parquet files are its tables; any program that reads Parquet can open them. Their columns have
units and meanings in their metadata, and https://arrow.apache.org describes the format. Rows of one
stage have its key in `stage_key`; the columns `search_key`, `sample_key`, `derive_key` and
`retrain_key` of trials.parquet name the stages of a trial. epochs, genotypes and retrains have the
rows of each stage's last attempt, attempts.parquet has all attempts.
submissions.json has the settings of every trial, stages.json says how each stage ended,
weights/ has the trained networks, if they were exported, and BUNDLE.json checksums of all files.

`fairdarts sweep import FOLDER --store STORE` adds the sweep to a store.
"""


def export_sweep(store: Store, sweep: str, folder: Path, weights: bool) -> int:
    """Write a sweep to a new folder, which appears when it is complete.

    Args:
        store: Where the sweep is.
        sweep: Its name.
        folder: Where to; it must not exist, or be empty.
        weights: Whether to write the weights of its retrained networks, too.
    Returns:
        How many files were written.
    Raises:
        SweepError: If there is no such sweep, it is being run, or one of its plans is damaged.
        StoreError: If the folder has files.
        DamagedFile: If a file of the store is damaged.
        OSError: If the folder cannot be written; nothing is left then.
    """
    load_submission(store, sweep)  # Says what there is, if the name is wrong.
    for driver in live_drivers(store, sweep):
        raise SweepError(
            f"{sweep!r} is being run ({driver.holder}): export it when that has ended."
        )
    with whole_folder(folder) as unfinished:
        return _write(store, sweep, unfinished, weights)


def _write(store: Store, sweep: str, folder: Path, weights: bool) -> int:
    numbers = store.submission_numbers(sweep)
    submissions = [load_submission(store, sweep, number) for number in numbers]
    trials = [trial for submission in submissions for trial in submission.trials]
    stages = {stage.key: stage for trial in trials for stage in trial.stages}
    found = [_stage(store, stage, folder, weights) for _, stage in sorted(stages.items())]
    plans = [read_json(store.submission_path(sweep, number)) for number in numbers]
    _write_json(folder / STAGES, [stage for stage in found if stage is not None])
    _write_json(folder / SUBMISSIONS, plans)
    (folder / README).write_text(ABOUT.format(sweep=sweep))
    _write_table(store, PLAN_TABLE, [sweep], folder)
    for table in TABLES:
        _write_table(store, table, sorted(stages), folder)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = entries({str(path.relative_to(folder)): path for path in paths})
    index = {"format": FORMAT, "version": VERSION, "sweep": sweep, "files": files}
    _write_json(folder / INDEX, index)
    return len(paths) + 1


def _stage(store: Store, stage: StageSpec, folder: Path, weights: bool) -> dict[str, Any] | None:
    """How a stage has ended; None if it never began. Writes its weights."""
    paths = StagePaths(store.stage_dir(stage.kind, stage.key))
    state = stage_state(paths.folder)
    if not state.attempt:
        return None
    done = state.status == Status.DONE
    sealed = paths.sealed()
    failures = [failure_of(paths.attempt(number)) for number in paths.attempt_numbers()]
    entry: dict[str, Any] = {
        "kind": stage.kind,
        "key": stage.key,
        "attempt": sealed.attempt if sealed is not None else state.attempt,
        "done": done,
        "invalid": state.reason if done and state.outcome == Outcome.INVALID else None,
        "failures": [vars(failure) for failure in failures if failure is not None],
        "weights": None,
    }
    if weights and done and stage.kind == "retrain":
        entry["weights"] = _write_weights(store, stage, folder)
    return entry


def _write_weights(store: Store, stage: StageSpec, folder: Path) -> dict[str, Any] | None:
    """The last checkpoint of a retraining, or of the one whose rows it has copied."""
    rows = store.read("retrains", [stage.key], ["trained_as", "epochs"]).to_pylist()
    for row in rows:
        trained_in = store.stage_dir(stage.kind, row["trained_as"] or stage.key)
        checkpoint = load_checkpoint(trained_in, log=lambda line: None)
        if checkpoint is not None and checkpoint.epoch == row["epochs"]:
            (folder / WEIGHTS).mkdir(exist_ok=True)
            (folder / weights_name(stage.key)).write_bytes(checkpoint.content)
            return {"epoch": checkpoint.epoch, "bitwise_key": checkpoint.bitwise_key}
    return None


def _write_table(store: Store, table: str, names: list[str], folder: Path) -> None:
    import pyarrow.parquet as pq

    schema, path = SCHEMA[table].arrow, folder / table_name(table)
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for start in range(0, len(names), TOGETHER):
            some = names[start : start + TOGETHER]
            # The folder has no files of attempts, which would say later that one is lost.
            is_attempts = table == "attempts"
            rows = read_attempts(store, some) if is_attempts else store.read(table, some)
            order = [(name, "ascending") for name in SCHEMA[table].key]
            writer.write_table(rows.cast(schema).sort_by(order))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
