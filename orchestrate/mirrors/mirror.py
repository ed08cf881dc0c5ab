"""What a mirror shows, and what each of them can do.

A mirror shows what the store has of the stages with epochs, a run for each. It never reads its own
state from memory alone: what it shows of a stage is on record at its target. So a run of the sweep
continues where another one was killed, and no point is there twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.statuses import Status
from results.schema import EPOCHS, RETRAINS, VECTOR, Column
from results.store.files import parsed, write_json
from results.store.layout import ROWS_OF

Row = Mapping[str, Any]

ABOUT_A_ROW = ("attempt", "epoch", "chosen_epoch")
"""Numbers of the table `epochs` that are no measurements."""


def _is_number(column: Column) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


CURVES = tuple(c.name for c in EPOCHS.columns if _is_number(c) and c.name not in ABOUT_A_ROW)
"""Columns of the table `epochs` that are shown as curves."""
HISTOGRAMS = tuple(column.name for column in EPOCHS.columns if column.type == VECTOR)
RESULTS = tuple(column.name for column in RETRAINS.columns if _is_number(column))
"""Columns of the table `retrains` that are shown at the end of a retraining."""


@dataclass(frozen=True)
class MirroredStage:
    """A stage with epochs, as it is named and described at every target."""

    key: str
    kind: str
    trial: str
    """Label of the first trial of the plan that needs it."""
    group: str
    """The same without seeds."""
    sweep: str
    settings: dict[str, Any]
    """Of this stage and of those before it, by their full names."""
    parent: str | None

    @property
    def name(self) -> str:
        """Its name for people."""
        return f"{self.trial} {self.kind}"


@dataclass(frozen=True)
class Record:
    """How much of a stage the store has, or a target shows."""

    num_epochs: int = 0
    written_at: str = ""
    """When the last of these epochs was written to the store."""
    end: str = ""
    """`done` or `failed`; "" if the stage goes on."""

    @classmethod
    def read(cls, path: Path) -> "Record":
        """The record in a file; an empty one if there is none."""
        return parsed(path, lambda content: cls(**content)) or cls()

    def write(self, path: Path) -> None:
        """Put the record into a file."""
        write_json(path, asdict(self))

    def is_start_of(self, rows: Sequence[Row]) -> bool:
        """Whether the epochs on record are the first ones of these rows, and not computed again."""
        if not self.num_epochs:
            return True
        is_there = self.num_epochs <= len(rows)
        return is_there and written_at(rows[self.num_epochs - 1]) == self.written_at


@dataclass(frozen=True)
class StageNow:
    """Everything the store has of a stage."""

    record: Record
    rows: Sequence[Row]
    """Of the table `epochs`, by epoch."""
    results: dict[str, float] = field(default_factory=dict)
    """See `RESULTS`; empty before the end, and for searches."""
    genotype: str = ""
    """What a retraining trains, as JSON."""


class Mirror(Protocol):
    """One target. Any method may raise whatever the target's own library raises."""

    @property
    def target(self) -> str:
        """Names the target to people, and to other runs of the sweep; has no secrets."""

    def shown(self, stage: MirroredStage) -> Record:
        """What the target has of a stage, by its own record."""

    def show(self, stage: MirroredStage, now: StageNow) -> None:
        """Make the target show a stage as it is now, and put that on record there."""

    def forget(self) -> None:
        """Close what is open, after an error: the target may have less than was written to it."""

    def close(self) -> None:
        """Close what is open, at the end; stages without an end count as interrupted."""


def curves(stage: MirroredStage, row: Row) -> dict[str, float]:
    """The measurements of an epoch by name, such as `search/train_loss`."""
    return {f"{stage.kind}/{name}": row[name] for name in CURVES if row[name] is not None}


def histograms(stage: MirroredStage, row: Row) -> dict[str, list[float]]:
    """The alphas and gates after an epoch, by name."""
    return {f"{stage.kind}/{name}": row[name] for name in HISTOGRAMS if row[name] is not None}


def written_at(row: Row) -> str:
    """When a row was written, as text."""
    return row["written_at"].isoformat() if row["written_at"] else ""


def mirrored_stages(sweep: str, trials: list[TrialSpec]) -> dict[str, MirroredStage]:
    """The stages of a plan that have epochs, by key."""
    found: dict[str, MirroredStage] = {}
    for trial in trials:
        settings: dict[str, Any] = {"method": trial.method, "dataset": trial.dataset}
        for stage in trial.stages:
            settings = settings | _settings(stage)
            if "epochs" in ROWS_OF[stage.kind] and stage.key not in found:
                found[stage.key] = MirroredStage(
                    stage.key,
                    stage.kind,
                    trial.label,
                    trial.group_label,
                    sweep,
                    settings,
                    stage.parent,
                )
    return found


def _settings(stage: StageSpec) -> dict[str, Any]:
    """The settings of a stage by their full names; those of derive and sample have no section."""
    sections = {
        name: value if isinstance(value, dict) else {} for name, value in stage.config.items()
    }
    own = {name: value for name, value in stage.config.items() if not isinstance(value, dict)}
    named = [*sections.items(), (stage.kind, own)]
    return {
        f"{section}.{name}": value for section, values in named for name, value in values.items()
    }


def ended(status: Status) -> str:
    """The end of a stage for its record; "" if it goes on."""
    return status.value if status in (Status.DONE, Status.FAILED) else ""
