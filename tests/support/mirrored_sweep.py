"""A planned trial whose stages are written into a store epoch by epoch, as its worker would."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from tiny_sweeps import tiny_sweep, tiny_trials

from orchestrate.mirrors.following import Follower
from orchestrate.mirrors.mirror import Mirror
from orchestrate.planning.plan import StageSpec
from orchestrate.planning.submission import Submission, submit
from orchestrate.stages.paths import StagePaths
from results.store.files import write_json
from results.store.layout import live_name
from results.store.store import Store

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class MirroredSweep:
    """One FairDARTS trial in a store."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.create(folder / "store")
        self.submission = self.submit("seed=[0]")
        (trial,) = self.submission.trials
        self.search, self.derive, self.retrain = trial.stages
        self.said: list[str] = []

    def submit(self, *assignments: str) -> Submission:
        trials = tiny_trials(*assignments)
        return submit(self.store, "tiny", trials, tiny_sweep().resources)

    def follower(self, mirror: Mirror, submission: Submission | None = None) -> Follower:
        return Follower(self.store, submission or self.submission, mirror, self.said.append)

    def write(self, stage: StageSpec, num_epochs: int, attempt: int = 1, kept: int = 0) -> None:
        """The rows of so many epochs; those after `kept` are of this attempt."""
        rows = [_row(stage, epoch, attempt if epoch >= kept else 1) for epoch in range(num_epochs)]
        self.store.write_rows("epochs", live_name(stage.key, attempt), rows)

    def finish(self, stage: StageSpec, attempt: int = 1, **result: Any) -> None:
        if stage.kind == "retrain":
            row = {"stage_key": stage.key, "derive_key": stage.parent, **result}
            self.store.write_rows("retrains", live_name(stage.key, attempt), [row])
        paths = StagePaths(self.store.stage_dir(stage.kind, stage.key))
        write_json(paths.done, {"attempt": attempt, "outcome": "ok", "reason": ""})

    def fail(self, stage: StageSpec) -> None:
        paths = StagePaths(self.store.stage_dir(stage.kind, stage.key)).attempt(1)
        failure = {"attempt": 1, "kind": "oom", "error_type": "MemoryError", "message": "2 GiB"}
        write_json(paths.failed, failure)

    def write_genotype(self) -> None:
        row = {"stage_key": self.derive.key, "genotype_json": '{"normal": []}', "valid": True}
        self.store.write_rows("genotypes", live_name(self.derive.key, 1), [row])

    def rows(self, stage: StageSpec) -> list[dict[str, Any]]:
        table = self.store.read("epochs", [stage.key]).sort_by("epoch")
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def _row(stage: StageSpec, epoch: int, attempt: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "stage_key": stage.key,
        "kind": stage.kind,
        "attempt": attempt,
        "epoch": epoch,
        "train_loss": 2.5 / (1 + epoch) + attempt / 100,
        "train_top1_pct": 10.0 + epoch,
        "lr": 0.025 / (1 + epoch),
        "wall_s": 4.0 + attempt,
        "images_per_s": 123.0,
        "written_at": START + timedelta(minutes=epoch, hours=attempt),
    }
    if stage.kind == "retrain":
        return row | {"test_loss": 2.0, "test_top1_pct": 50.0 + epoch}
    gates = np.linspace(0.01, 0.99, 196, dtype=np.float32)
    return row | {
        "zero_one_loss": -0.1 * epoch,
        "num_dominant": epoch,
        "alphas": np.log(gates / (1 - gates)).tolist(),
        "gates": gates.tolist(),
    }
