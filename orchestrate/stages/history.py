"""The epochs of a stage: those of earlier attempts up to the checkpoint, then those of this one.

After every epoch its row is committed first and the checkpoint second, so that no epoch is ever in
a checkpoint and not in the table.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fairdarts.network.retrain import RetrainEpoch, RetrainState
from fairdarts.search.loop import SearchEpoch
from fairdarts.search.state import SearchState
from orchestrate.errors import Diverged
from orchestrate.stages.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from orchestrate.stages.stage_run import Row, StageRun, stage_rows
from results.errors import DamagedFile
from results.store.codec import decode
from results.store.layout import live_name


class History:
    """What a stage has recorded so far, and the state to continue from."""

    def __init__(self, run: StageRun, rows: list[Row], checkpoint: bytes | None) -> None:
        self.run = run
        self.rows = rows
        self.checkpoint = checkpoint

    def commit(
        self, epoch: SearchEpoch | RetrainEpoch, state: SearchState | RetrainState, **extra: Any
    ) -> None:
        """Record an epoch: its row, then the checkpoint, then whoever watches."""
        run = self.run
        row = {
            "stage_key": run.stage.key,
            "kind": run.stage.kind,
            "attempt": run.attempt.number,
            "epoch": epoch.epoch,
            "lr": epoch.lr,
            "wall_s": epoch.wall_s,
            "images_per_s": epoch.num_images / epoch.wall_s,
            "written_at": datetime.now(UTC),
        }
        self.rows.append(row | epoch.metrics | extra)
        run.write_rows("epochs", self.rows)
        metrics = " ".join(f"{name} {value:.4g}" for name, value in epoch.metrics.items())
        run.attempt.log(f"epoch {epoch.epoch} {metrics} wall_s {epoch.wall_s:.1f}")
        if not math.isfinite(epoch.metrics["train_loss"]):
            raise Diverged(
                f"the training loss is {epoch.metrics['train_loss']} in epoch {epoch.epoch}"
            )
        table = run.store.live_path("epochs", live_name(run.stage.key, run.attempt.number))
        save_checkpoint(
            run.attempt,
            state.epoch,
            state.to_bytes(),
            table.read_bytes(),
            run.runtime.bitwise_key(),
        )
        run.on_epoch()


def resume(run: StageRun) -> History:
    """Continue after the newest intact checkpoint, or else from the start.

    The rows up to the checkpoint become this attempt's own, and `run` notes what it resumed from.
    """
    found = load_checkpoint(run.attempt.stage.folder, run.attempt.log)
    if found is None:
        return History(run, [], None)
    rows = _rows_up_to(run, found)
    if len(rows) < found.epoch:
        run.attempt.log("rows of earlier epochs are lost: starting over")
        return History(run, [], None)
    run.resumed_from_epoch = found.epoch - 1
    run.bitwise = found.bitwise_key == run.runtime.bitwise_key()
    run.attempt.log(f"resuming after epoch {found.epoch - 1}")
    if not run.bitwise:
        run.attempt.log(
            f"the checkpoint was made with {found.bitwise_key}, this is "
            f"{run.runtime.bitwise_key()}: the result may differ in the last bits"
        )
    run.write_rows("epochs", rows)
    return History(run, rows, found.content)


def _rows_up_to(run: StageRun, checkpoint: Checkpoint) -> list[Row]:
    """The rows of every epoch up to a checkpoint; none if they are lost in both places."""
    places: dict[str, Callable[[], list[Row]]] = {
        "the table": lambda: stage_rows(run.store, "epochs", run.stage.key),
        "the copy beside the checkpoint": lambda: decode(
            "epochs", checkpoint.rows, checkpoint.rows.read_bytes()
        ).to_pylist(),
    }
    for place, read in places.items():
        try:
            rows = [row for row in read() if row["epoch"] < checkpoint.epoch]
        except (OSError, DamagedFile) as error:
            run.attempt.log(f"{place} cannot be read: {error}")
            continue
        if len(rows) == checkpoint.epoch:
            return rows
        run.attempt.log(f"{place} has {len(rows)} of {checkpoint.epoch} epochs")
    return []
