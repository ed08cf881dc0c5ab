"""Trials that nobody computed: the files and rows that a run would leave behind."""

import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tiny_sweeps import tiny_sweep

from fairdarts.genotype.published import published
from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.planning.submission import load_submission, newest_number, submit
from orchestrate.running.sealing import seal_finished
from orchestrate.running.status import sweep_status
from orchestrate.running.store_check import store_faults
from orchestrate.stages.paths import StagePaths
from results.query.ids import known_ids
from results.query.tables import Tables
from results.statuses import AttemptStatus
from results.store.files import write_json
from results.store.holder import this_process
from results.store.layout import live_name
from results.store.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NUM_EPOCHS = 2


def submit_trials(store: Store, sweep: str, trials: list[TrialSpec]) -> None:
    submit(store, sweep, trials, tiny_sweep().resources)


def finish_trial(store: Store, trial: TrialSpec, invalid: bool = False) -> None:
    for stage in trial.stages:
        finish_stage(store, stage, invalid=invalid and stage.kind == "derive")


def finish_stage(
    store: Store, stage: StageSpec, number: int = 1, loss: float = 0.5, invalid: bool = False
) -> None:
    paths = _begin(store, stage, number)
    for table, rows in _rows(stage, number, loss, invalid).items():
        store.write_rows(table, live_name(stage.key, number), rows)
    _write_attempt(store, stage, number, AttemptStatus.OK)
    if stage.kind == "retrain":
        checkpoint = paths.checkpoint(number, NUM_EPOCHS)
        checkpoint.parent.mkdir(exist_ok=True)
        checkpoint.write_bytes(b"weights")
        write_json(checkpoint.with_suffix(".json"), {"epoch": NUM_EPOCHS, "sha256": "0" * 64})
    outcome, reason = ("invalid", "too few gates") if invalid else ("ok", "")
    write_json(paths.done, {"attempt": number, "outcome": outcome, "reason": reason})


def fail_stage(store: Store, stage: StageSpec, number: int = 1) -> None:
    paths = _begin(store, stage, number)
    failure = {"attempt": number, "kind": "oom", "error_type": "E", "message": "2 GiB"}
    write_json(paths.attempt(number).failed, failure)
    columns = {"failure_kind": "oom", "error_type": "E", "error_message": "2 GiB"}
    _write_attempt(store, stage, number, AttemptStatus.FAILED, **columns)


def _begin(store: Store, stage: StageSpec, number: int) -> StagePaths:
    paths = StagePaths(store.stage_dir(stage.kind, stage.key))
    attempt = paths.attempt(number)
    attempt.folder.mkdir(parents=True)
    write_json(paths.spec, asdict(stage))
    write_json(attempt.lease, this_process())
    attempt.released.touch()
    attempt.log.write_text(f"attempt {number}\n")
    return paths


def _write_attempt(
    store: Store, stage: StageSpec, number: int, status: AttemptStatus, **columns: Any
) -> None:
    row = {"stage_key": stage.key, "attempt": number, "kind": stage.kind, "status": status}
    row |= {"started_at": NOW, "ended_at": NOW, "wall_s": 1.0, **columns}
    store.write_rows("attempts", live_name(stage.key, number), [row])


def _rows(
    stage: StageSpec, number: int, loss: float, invalid: bool
) -> dict[str, list[dict[str, Any]]]:
    own = {"stage_key": stage.key}
    epochs = [
        {**own, "kind": stage.kind, "attempt": number, "epoch": epoch, "train_loss": loss + epoch}
        | {"wall_s": 1.0, "written_at": NOW}
        for epoch in range(NUM_EPOCHS)
    ]
    if stage.kind == "search":
        alphas = {"alphas": [0.5] * 196, "gates": [0.25] * 196, "arch_top1_pct": 50.0}
        return {"epochs": [row | alphas for row in epochs]}
    if stage.kind == "retrain":
        seed = stage.config["retrain"]["seed"]
        row = {**own, "derive_key": stage.parent, "epochs": NUM_EPOCHS, "params": 1000}
        row |= {"test_top1_pct": 90.0 + seed, "wall_s": 2.0, "multadds": 5000}
        epochs = [one | {"test_top1_pct": 80.0} for one in epochs]
        return {"epochs": epochs, "retrains": [row]}
    genotype = published("FairDARTS_b").genotype
    text = genotype.to_json()
    row = {**own, "kind": stage.kind, "genotype_json": text, "raw_genotype_json": text}
    row |= {"search_key": stage.parent or None, "valid": not invalid}
    return {"genotypes": [row | ({"invalid_reason": "too few gates"} if invalid else {})]}


def write_sweeps(
    store: Store, mine: list[TrialSpec], other: list[TrialSpec], is_sealed: bool
) -> None:
    """Two trials of mine are done, the last one has failed; those of the other sweep are done."""
    submit_trials(store, "mine", mine[:2])
    submit_trials(store, "mine", mine)
    submit_trials(store, "other", other)
    for trial in (*mine[:2], *other):
        for stage in trial.stages:
            if not store.stage_dir(stage.kind, stage.key).exists():
                finish_stage(store, stage)
    fail_stage(store, mine[2].stages[0])
    if is_sealed:
        seal_finished(store)


def copy(store: Store, folder: Path) -> Store:
    return Store.open(shutil.copytree(store.root, folder))


def answers(store: Store) -> dict[str, Any]:
    """What every view of a store says."""
    sweeps = store.sweep_names()
    tables = Tables(store)
    rows = {name: tables.read(name).to_pylist() for name in ("outcomes", "attempts", "epochs")}
    return {
        "sweeps": {name: newest_number(store, name) for name in sweeps},
        "statuses": {
            name: [
                (one.trial.trial_id, one.status)
                for one in sweep_status(store, load_submission(store, name).trials)
            ]
            for name in sweeps
        },
        "ids": sorted(known_ids(store)),
        "faults": [
            str(fault.path.relative_to(store.root))
            for fault in store_faults(store)
            # A second copy that a crash has prevented; and the checkpoints here are not real.
            if fault.path.suffix != ".copy" and fault.path.parent.name != "checkpoints"
        ],
        "raw": {
            table: sorted(map(str, store.read(table).to_pylist()))
            for table in ("trials", "attempts", "epochs", "genotypes", "retrains")
        },
    } | {name: sorted(map(str, of)) for name, of in rows.items()}
