"""Event files of TensorBoard, a folder for each stage: SWEEP/TRIAL/KIND-KEY.

An event file can only be appended to, and a process may be killed between two events of an epoch.
So a stage that another process began to write is written again from its first epoch, into a new
file that replaces the old one.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from orchestrate.errors import MirrorError
from orchestrate.mirrors.mirror import (
    MirroredStage,
    Record,
    Row,
    StageNow,
    curves,
    histograms,
)

RECORD = "shown.json"
"""Beside the event files of a stage."""
MAX_NAME = 150
"""Longest name of a folder."""


class TensorBoardMirror:
    """Writes event files into a folder.

    Args:
        folder: Where; it is created.
    Raises:
        MirrorError: If it cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().absolute()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MirrorError(
                f"--tensorboard (={str(folder)!r}) cannot be created ({error.strerror}): give the "
                "name of a folder."
            ) from None
        self._writers: dict[str, SummaryWriter] = {}
        self._written: dict[str, Record] = {}
        # A trial is named differently when its sweep has more axes: its folder stays what it was.
        self._places = {path.name[-16:]: path for path in self._folder.glob("*/*/*-*")}

    @property
    def target(self) -> str:
        """See `Mirror`."""
        return str(self._folder)

    def shown(self, stage: MirroredStage) -> Record:
        """See `Mirror`."""
        return Record.read(self._place(stage) / RECORD)

    def show(self, stage: MirroredStage, now: StageNow) -> None:
        """See `Mirror`."""
        written = self._written.get(stage.key)
        if written is None or not written.is_start_of(now.rows) or not self._place(stage).exists():
            written = self._start_over(stage)
        writer = self._writers[stage.key]
        for row in now.rows[written.num_epochs :]:
            _write_epoch(writer, stage, row)
        if now.record.end:
            _write_end(writer, now)
        writer.flush()
        now.record.write(self._place(stage) / RECORD)
        self._written[stage.key] = now.record
        if now.record.end:
            self._close(stage.key)

    def forget(self) -> None:
        """See `Mirror`."""
        for key in list(self._writers):
            try:
                self._close(key)
            except OSError:  # What it could not write is written again.
                continue

    def close(self) -> None:
        """See `Mirror`."""
        self.forget()

    def _place(self, stage: MirroredStage) -> Path:
        trial = re.sub(r"[^\w.,=+ -]", "_", stage.trial)[:MAX_NAME].strip() or "_"
        new = self._folder / stage.sweep / trial / f"{stage.kind}-{stage.key}"
        return self._places.setdefault(stage.key, new)

    def _start_over(self, stage: MirroredStage) -> Record:
        self._close(stage.key)
        folder = self._place(stage)
        old = list(folder.glob("events.out.tfevents.*"))
        # To a TensorBoard that has read the old file, purging says that its points are void.
        writer = SummaryWriter(str(folder), purge_step=0)
        for path in old:
            path.unlink(missing_ok=True)
        self._writers[stage.key] = writer
        settings = {name: _plain(value) for name, value in stage.settings.items()}
        _, start, _ = hparams(settings, {})  # type: ignore[no-untyped-call]
        _add(writer, start)
        return Record()

    def _close(self, key: str) -> None:
        self._written.pop(key, None)
        if (writer := self._writers.pop(key, None)) is not None:
            writer.close()


def _write_epoch(writer: SummaryWriter, stage: MirroredStage, row: Row) -> None:
    at = {"global_step": row["epoch"], "walltime": row["written_at"].timestamp()}
    for name, value in curves(stage, row).items():
        writer.add_scalar(name, value, **at)
    for name, values in histograms(stage, row).items():
        finite = np.asarray(values)[np.isfinite(values)]
        if finite.size:  # A search that diverged has none.
            writer.add_histogram(name, finite, **at)


def _write_end(writer: SummaryWriter, now: StageNow) -> None:
    last = now.rows[-1]
    at = {"global_step": last["epoch"], "walltime": last["written_at"].timestamp()}
    for name, value in now.results.items():
        writer.add_scalar(f"result/{name}", value, **at)
    if now.genotype:
        writer.add_text("genotype", now.genotype, **at)
    _, _, end = hparams({}, {})  # type: ignore[no-untyped-call]
    _add(writer, end)


def _add(writer: SummaryWriter, summary: Any) -> None:
    """Add a summary of the dashboard of settings; `add_hparams` would make another folder."""
    assert writer.file_writer is not None
    writer.file_writer.add_summary(summary)


def _plain(value: Any) -> str | float | bool:
    return value if isinstance(value, str | float | int | bool) else str(value)
