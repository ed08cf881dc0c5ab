"""Records the epochs of a stage, and resumes a stage that an earlier attempt began.

The rows of a stage are those of earlier attempts up to the checkpoint, then those of this attempt.
After every epoch its row is written first and the checkpoint second. So every epoch of a checkpoint
is in the table; a crash between the two only means that one epoch is computed again. A large
checkpoint is written while the next epoch is computed.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fairdarts.network.retrain import RetrainEpoch, RetrainState
from fairdarts.search.loop import SearchEpoch
from fairdarts.search.state import SearchState
from orchestrate.errors import Diverged
from orchestrate.stages.checkpoints import Checkpoint, load_checkpoint
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
        """Record an epoch: write its row, begin with the checkpoint, call `run.on_epoch`.

        Raises:
            Diverged: If the training loss or a gate is not finite. Then there is a row of this
                epoch, but no checkpoint.
            Superseded: If a newer attempt has taken the stage over.
        """
        run = self.run
        run.checkpoints.wait()  # That of the epoch before, which may be large.
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
        # The last step may spoil the alphas, and no later loss would show it.
        if isinstance(epoch, SearchEpoch) and not all(map(math.isfinite, epoch.gates)):
            raise Diverged(f"a gate is not a number after epoch {epoch.epoch}")
        table = run.store.live_path("epochs", live_name(run.stage.key, run.attempt.number))
        run.checkpoints.save(
            state.epoch, state.to_bytes(), table.read_bytes(), run.runtime.bitwise_key()
        )
        run.on_epoch()


def resume(run: StageRun) -> History:
    """Continue from the newest intact checkpoint, or from the start if there is none.

    The rows up to the checkpoint are copied to this attempt. Sets `resumed_from_epoch` and
    `bitwise` of `run`.
    """
    found = load_checkpoint(run.attempt.stage.folder, run.attempt.log)
    if found is None:
        return History(run, [], None)
    rows = _rows_up_to(run, found)
    if len(rows) < found.epoch:
        # A result without some of its epochs would be wrong; computing them again is only slow.
        run.attempt.log("rows of earlier epochs are lost: starting over")
        return History(run, [], None)
    # `found.epoch` counts finished epochs; the column holds the index of the last one, from 0.
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
    """The rows of every epoch up to a checkpoint; none if both the table and its copy are lost."""
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
