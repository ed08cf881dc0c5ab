"""What the function that computes a stage gets, and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fairdarts.errors import DataError
from orchestrate.planning.plan import StageSpec
from orchestrate.stages.checkpoints import CheckpointWriter
from orchestrate.stages.images import DamagedImages
from orchestrate.stages.lease import Attempt
from orchestrate.stages.runtime import Runtime
from orchestrate.statuses import Outcome
from results.store.layout import live_name
from results.store.store import Store

Row = dict[str, Any]


@dataclass(frozen=True)
class StageResult:
    """How a stage ended."""

    outcome: Outcome = Outcome.OK
    """`OK`, or `INVALID` if no network can be built from the genotype."""
    reason: str = ""


@dataclass
class StageRun:
    """One attempt at one stage, with everything that it needs to compute and to record."""

    stage: StageSpec
    store: Store
    attempt: Attempt
    runtime: Runtime
    on_epoch: Callable[[], None]
    """Called after the row of every epoch is written, and the checkpoint, unless it is large."""
    on_step: Callable[[], None]
    """Called before every step of training."""
    resumed_from_epoch: int | None = None
    """Last epoch of the checkpoint that the attempt continued from; None if it began anew."""
    bitwise: bool | None = None
    """Whether it continues bit for bit as without interruption; None if it began anew."""
    damaged: DamagedImages = field(init=False)
    checkpoints: CheckpointWriter = field(init=False)

    def __post_init__(self) -> None:
        self.checkpoints = CheckpointWriter(self.attempt)
        self.damaged = DamagedImages(self.attempt)

    @property
    def num_damaged(self) -> int | None:
        """How many images were left out so far; None if the settings do not allow any."""
        skips = self.stage.config.get("data", {}).get("damaged") == "skip"
        return len(self.damaged) if skips else None

    def write_rows(self, table: str, rows: list[Row]) -> None:
        """Write this attempt's rows of a table, and delete those of earlier attempts.

        Raises:
            Superseded: If a newer attempt has taken the stage over.
        """
        key, number = self.stage.key, self.attempt.number
        self.attempt.check()
        self.store.write_rows(table, live_name(key, number), rows)
        if number > 1:
            self.store.supersede(table, key, number)

    def parent_rows(self, table: str) -> list[Row]:
        """The rows of the stage before this one.

        Raises:
            DataError: If there are none, for example because a person deleted them.
        """
        parent = self.stage.parent
        assert parent is not None
        rows = stage_rows(self.store, table, parent)
        if not rows:
            raise DataError(
                f"the {table} rows of stage {parent} are gone though it is done: delete its "
                "DONE.json and run the sweep again."
            )
        return rows


def stage_rows(store: Store, table: str, key: str) -> list[Row]:
    """The rows of a stage's newest attempt."""
    rows: list[Row] = store.read(table, [key]).to_pylist()
    return rows
