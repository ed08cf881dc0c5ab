import sys
from pathlib import Path

import pytest

from orchestrate.errors import MirrorError
from orchestrate.mirrors.targets import Targets


@pytest.mark.parametrize(
    ("targets", "command"),
    [
        (Targets(tensorboard=Path("tb")), "pip install tensorboard`"),
        (Targets(wandb="project"), "pip install wandb`"),
        (Targets(mlflow="http://host:5000"), "pip install mlflow-skinny sqlalchemy alembic`"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    targets: Targets, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("tensorboard", "wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MirrorError, match=command):
        targets.check()


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://me:secret@host", "must not contain a password"),
        ("https://token@host", "must not contain a password"),
        ("postgresql://me:secret@host/mlflow", "must not contain a password"),
        ("mlruns", "no longer writes to folders"),
        ("file:///home/me/mlruns", "no longer writes to folders"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(MirrorError, match=reason) as raised:
        Targets(mlflow=uri).check()
    assert "secret" not in str(raised.value)


def test_targets_are_written_as_a_user_would() -> None:
    assert str(Targets(Path("my events"), "p")) == " --tensorboard 'my events' --wandb p"
    assert not Targets()
