"""The mirrors that a user asks for on a command line. Imports none of their libraries."""

import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrate.errors import MirrorError

if TYPE_CHECKING:
    from orchestrate.mirrors.mirror import Mirror


@dataclass(frozen=True)
class Targets:
    """Where a sweep is shown while it runs; by default nowhere."""

    tensorboard: Path | None = None
    """Folder for event files."""
    wandb: str | None = None
    """Name of a project of W&B."""
    mlflow: str | None = None
    """Address of a tracking server or a database of MLflow."""

    def __bool__(self) -> bool:
        return bool(self._given)

    def __str__(self) -> str:
        """As options of a command."""
        return "".join(f" --{name} {shlex.quote(value)}" for name, value in self._given.items())

    @property
    def _given(self) -> dict[str, str]:
        """The targets that are given; each is also the name of its package."""
        values = {"tensorboard": self.tensorboard, "wandb": self.wandb, "mlflow": self.mlflow}
        return {name: str(value) for name, value in values.items() if value is not None}

    def check(self) -> None:
        """Refuse what cannot work, before anything is computed or written.

        Raises:
            MirrorError: If a package is missing, or the address for MLflow cannot be used.
        """
        if self.mlflow is not None:
            _check_uri(self.mlflow)
        for package in self._given:
            if find_spec(package) is None:
                raise MirrorError(
                    f"--{package} needs the package {package}, which is not installed here: "
                    f"`pip install {PIP.get(package, package)}`."
                )

    def open(self) -> "list[Mirror]":
        """The mirrors; imports their libraries, which takes seconds.

        Raises:
            MirrorError: If one of them cannot be used.
        """
        mirrors: list[Mirror] = []
        if self.tensorboard is not None:
            from orchestrate.mirrors.tensorboard_mirror import TensorBoardMirror

            mirrors.append(TensorBoardMirror(self.tensorboard))
        if self.wandb is not None:
            from orchestrate.mirrors.wandb_mirror import WandbMirror

            mirrors.append(WandbMirror(self.wandb))
        if self.mlflow is not None:
            from orchestrate.mirrors.mlflow_mirror import MlflowMirror

            mirrors.append(MlflowMirror(self.mlflow))
        return mirrors


PIP = {"mlflow": "mlflow-skinny sqlalchemy alembic"}
"""What to install where that is not the package alone: all of MLflow would be a gigabyte."""


def _check_uri(uri: str) -> None:
    parts = urlsplit(uri)
    if parts.password or (parts.username and parts.scheme in ("http", "https")):
        raise MirrorError(
            "--mlflow must not contain a password, because the store keeps the command: give the "
            "address alone, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN."
        )
    if parts.scheme in ("", "file"):
        raise MirrorError(
            f"--mlflow (={uri!r}) must be the address of a server, such as http://host:5000, or of "
            "a database, such as sqlite:////home/me/mlflow.db: MLflow no longer writes to folders."
        )
