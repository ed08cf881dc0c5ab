"""Runs of Weights & Biases: one for each stage, whose id is the key of the stage.

Online, the server knows the last step of a run that goes on. Offline nobody does, so a stage that
another process began to write gets a new folder with all its epochs, in place of the old one. W&B's
own variables (WANDB_MODE, WANDB_ENTITY, WANDB_DIR, ...) say the rest.
"""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from orchestrate.errors import MirrorError
from orchestrate.mirrors.mirror import MirroredStage, Record, StageNow, curves, histograms
from orchestrate.statuses import Status

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # It sends reports of crashes to W&B.
import wandb

FORBIDDEN = "/\\#?%:"
"""Characters that no name of a project may have."""


class WandbMirror:
    """Writes runs into a project.

    Args:
        project: Name of the project.
    Raises:
        MirrorError: If W&B does not allow the name, or nobody has logged in.
    """

    def __init__(self, project: str) -> None:
        if not project or set(project) & set(FORBIDDEN):
            raise MirrorError(
                f"--wandb (={project!r}) must be the name of a project, without any of {FORBIDDEN} "
                "(WANDB_ENTITY names the team)."
            )
        self._project = project
        # It prints into the view of the sweep, catches the output of the driver, and measures a
        # machine that need not be the one that computes.
        self._settings = wandb.Settings(
            silent=True, console="off", x_disable_stats=True, disable_git=True, save_code=False
        )
        logging.getLogger("wandb").setLevel(logging.ERROR)
        session = wandb.setup(settings=self._settings).settings
        self._is_offline = session.mode in ("offline", "dryrun", "disabled")
        if not self._is_offline and not wandb.login(prompt=False, verify=False):
            raise MirrorError(
                "--wandb needs an account: `wandb login`, or set WANDB_API_KEY, or "
                "WANDB_MODE=offline to write to a folder (`wandb sync` sends it later)."
            )
        self._folder = Path(session.wandb_dir).absolute()
        self._runs: dict[str, Any] = {}
        self._next: dict[str, int] = {}

    @property
    def target(self) -> str:
        """See `Mirror`."""
        return f"the W&B project {self._project}"

    def shown(self, stage: MirroredStage) -> Record:
        """See `Mirror`."""
        folders = self._folders(stage)
        return Record.read(self._record(folders[-1])) if folders else Record()

    def show(self, stage: MirroredStage, now: StageNow) -> None:
        """See `Mirror`; epochs that are computed again after a crash keep their first values."""
        run = self._runs.get(stage.key) or self._open(stage, now)
        for row in now.rows[self._next[stage.key] :]:
            shapes = {name: _histogram(values) for name, values in histograms(stage, row).items()}
            point = curves(stage, row) | {name: h for name, h in shapes.items() if h is not None}
            run.log(point, step=row["epoch"], commit=True)
        self._next[stage.key] = max(self._next[stage.key], len(now.rows))
        if now.record.end:
            run.summary.update({f"result/{name}": value for name, value in now.results.items()})
            self._finish(stage.key, 0 if now.record.end == Status.DONE else 1)
        now.record.write(self._record(Path(run.dir).parent))

    def forget(self) -> None:
        """See `Mirror`."""
        self.close()

    def close(self) -> None:
        """See `Mirror`."""
        for key in list(self._runs):
            self._finish(key, 1)

    def _open(self, stage: MirroredStage, now: StageNow) -> Any:
        if self._is_offline:
            for folder in self._folders(stage):
                shutil.rmtree(folder, ignore_errors=True)
        about = {"sweep": stage.sweep, "trial": stage.trial, "stage_key": stage.key}
        if now.genotype:
            about["genotype"] = now.genotype
        run = wandb.init(
            project=self._project,
            id=stage.key,
            name=stage.name,
            group=stage.group,
            job_type=stage.kind,
            config=about | _nested(stage.settings),
            resume="allow",
            reinit="create_new",  # Runs of several stages are open at once.
            settings=self._settings,
        )
        self._runs[stage.key] = run
        self._next[stage.key] = run.starting_step
        return run

    def _finish(self, key: str, exit_code: int) -> None:
        del self._next[key]
        self._runs.pop(key).finish(exit_code=exit_code)

    def _folders(self, stage: MirroredStage) -> list[Path]:
        """Folders of the runs of a stage, oldest first: their names begin with the time."""
        found = self._folder.glob(f"*run-*-{stage.key}")
        return sorted(path for path in found if self._record(path).exists())

    def _record(self, folder: Path) -> Path:
        return folder / f"shown-{self._project}.json"


def _histogram(values: list[float]) -> Any:
    finite = np.asarray(values)[np.isfinite(values)]
    return (
        wandb.Histogram(finite.tolist()) if finite.size else None
    )  # A search that diverged has none.


def _nested(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by section, as W&B shows them best."""
    nested: dict[str, Any] = {}
    for full_name, value in settings.items():
        section, _, name = full_name.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = value
    return nested
