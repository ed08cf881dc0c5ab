"""A sweep file that another one of the same name was run before."""

from pathlib import Path

import pytest
from in_process import exit_code

from cli.app import BAD_INPUT
from orchestrate.planning.plan import plan
from orchestrate.planning.submission import newest_number, submit
from orchestrate.planning.sweep_file import load_sweep
from results.store.store import Store

FILE = """
name = "own"
[settings]
data = {{ source = "digits", num_train = 40, num_test = 20, image_size = 8 }}
search = {{ epochs = {epochs}, batch_size = 20 }}
retrain = {{ auxiliary_weight = 0.0, cutout = 0, batch_size = 20 }}
[matrix]
method = ["darts"]
seed = {seeds}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two sweep files with one name; the first is in the store."""
    store = Store.create(tmp_path / "runs")
    for name, epochs, seeds in (("a", 2, [0, 1, 2]), ("b", 3, [0, 1]), ("part", 2, [0])):
        (tmp_path / f"{name}.toml").write_text(FILE.format(epochs=epochs, seeds=seeds))
    loaded = load_sweep(str(tmp_path / "a.toml"))
    submit(store, loaded.name, plan(loaded), loaded.resources)
    return tmp_path


def test_a_sweep_of_the_same_name_and_other_contents_is_refused(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = files / "runs"
    assert exit_code("sweep", "run", files / "b.toml", "--store", store) == BAD_INPUT
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "3 of the trials that 'own' has" in err
    assert "--earlier keep" in err and "--earlier replace" in err
    assert newest_number(Store.open(store), "own") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a", ""),
        ("b", "own also has 3 trials in {store}; `sweep run` needs --earlier keep or replace.\n"),
        ("part", "own also has 2 trials in {store}.\n"),
    ],
)
def test_a_plan_says_what_else_the_sweep_has(
    files: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    store = files / "runs"
    assert exit_code("sweep", "plan", files / f"{name}.toml", "--store", store) == 0
    out, _ = capsys.readouterr()
    assert message.format(store=store) in out
    assert ("also has" in out) == bool(message)
