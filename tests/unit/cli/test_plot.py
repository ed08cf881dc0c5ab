"""`results plot` as a person calls it; what figures show is tested by itself."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import exit_code
from small_sweep import Trial, write_example

from cli.app import BAD_INPUT
from cli.plot import all_figures
from results.store.layout import live_name
from results.store.store import Store

Plot = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store.create(tmp_path_factory.mktemp("store"))
    write_example(store)
    return store.root


@pytest.fixture
def plot(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plot:
    """Exit code, stdout and stderr of a command."""

    def plot(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setenv("FAIRDARTS_STORE", str(root))
        return exit_code("results", "plot", *arguments), *capsys.readouterr()

    return plot


def test_without_a_name_all_figures_are_listed(plot: Plot) -> None:
    code, out, _ = plot()
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(all_figures())
    assert "architecture" in out


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_an_architecture_is_drawn_with_its_operations_as_rows(
    plot: Plot, tmp_path: Path, suffix: str
) -> None:
    trial_id = Trial("fairdarts w=10", 1).row("exp", 1)["trial_id"]
    file = tmp_path / f"cells{suffix}"
    code, out, err = plot("architecture", "--trial", trial_id[:10], "-o", file)
    assert (code, err) == (0, "")
    assert out == f"wrote {file} and {file.with_suffix('.csv')}\n"
    rows = list(csv.DictReader(file.with_suffix(".csv").open()))
    assert {row["trial_id"] for row in rows} == {trial_id}
    assert [(row["edge"], row["operation"]) for row in rows][:2] == [
        ("normal 0-2", "sep_conv_3x3"),
        ("normal 1-2", "skip_connect"),
    ]
    if suffix == ".svg":
        assert "reduce-edge-0-2-sep_conv_3x3" in file.read_text()


def test_layers_are_drawn_as_they_are_stored(tmp_path: Path) -> None:
    from small_sweep import finish_genotype, submit

    from results.figures.kind import Options
    from results.query.tables import Tables

    store = Store.create(tmp_path / "store")
    trial = Trial("fairdarts", 0)
    submit(store, "exp", 1, [trial])
    finish_genotype(store, trial)
    words = ["E3K3", "E6K5+skip", "none", *["skip"] * 8]
    row = {"stage_key": trial.genotype_key, "genotype_json": json.dumps({"layers": words})}
    store.write_rows("genotypes", live_name(trial.genotype_key, 2), [row])
    kind = all_figures()["architecture"]
    rows = kind.data(Tables(store), Options())
    assert rows["operation"].tolist()[:4] == ["E3K3", "E6K5", "skip", "none"]
    assert b"layer-1-E6K5" in kind.picture(rows, Options(), "svg")


def test_a_figure_without_trials_needs_no_store(
    plot: Plot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "loss.svg"
    assert plot("zero-one-loss", "--store", tmp_path / "nowhere", "-o", file)[0] == 0
    assert file.exists()
    code, _, err = plot("zero-one-loss", "exp", "-o", file)
    assert code == BAD_INPUT
    assert err == "error: the figure zero-one-loss shows no trials: leave SWEEP and --where out.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pie",), "must be one of dominant-skips"),
        (("gates", "--edge", "normal 0-2"), "--edge does not fit the figure gates"),
        (("gates", "-o", "x.jpg"), "must end in .png, .svg or .pdf"),
        (("gates", "--trial", "zz"), "is not the id of one of these trials"),
        (("gates", "--where", "method = 'nix'"), "leaves none"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(
    plot: Plot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = plot(*arguments)
    assert code == BAD_INPUT
    assert err.count("\n") == 1
    assert said in err
    assert not list(tmp_path.iterdir())
