"""Bad input ends in one sentence on stderr and exit code 2: no traceback, nothing half-written."""

import json
from pathlib import Path

import pytest

from cli.app import main
from results.store.store import Store

Fault = tuple[str, list[str]]

SWEEP_FILES: dict[str, tuple[str, list[str]]] = {
    "not TOML": ("x = [", ["is not TOML"]),
    "unknown section": ("[matrx]\nseed=[0]", ["matrx", "matrix"]),
    "unknown setting": ("[matrix]\nsede=[0]", ["sede", "fairdarts sweep settings"]),
    "unknown field": ("[settings]\nsearch.epoch=3\n[matrix]\nseed=[0]", ["search.epoch", "epochs"]),
    "ambiguous name": ("[matrix]\nepochs=[1]", ["search.epochs or retrain.epochs"]),
    "empty axis": ("[matrix]\nseed=[]", ["matrix.seed is empty"]),
    "axis that is no list": ("[matrix]\nseed=3", ["matrix.seed (=3)", "list"]),
    "value twice": ("[matrix]\nseed=[0,0]", ["0 twice"]),
    "wrong type": ("[matrix]\nseed=['a']", ["search.seed (='a')", "integer"]),
    "out of range": (
        "[settings]\nop_threshold=1.5\n[matrix]\nseed=[0]",
        ["derive.op_threshold (=1.5)", "less than 1"],
    ),
    "schedule that rises": (
        "[settings]\nsearch.weight_lr=1e-4\n[matrix]\nseed=[0]",
        ["weight_lr_min (=0.001)", "weight_lr (=0.0001)"],
    ),
    "not a number": ("[settings]\nzero_one_weight=nan\n[matrix]\nseed=[0]", ["zero_one_weight"]),
    "unknown recipe": (
        "[settings]\nrecipe='cifar-900'\n[matrix]\nseed=[0]",
        ["cifar-900", "cifar-600"],
    ),
    "unknown method": ("[matrix]\nmethod=['pdarts']", ["pdarts", "fairdarts, darts"]),
    "settings of an unknown method": ("[methods.foo]\n[matrix]\nseed=[0]", ["methods.foo"]),
    "nothing to run": ("[settings]", ["[matrix]", "[[random]]"]),
    "name that leaves the store": ("name='../x'\n[matrix]\nseed=[0]", ["../x", "names a folder"]),
    "no random models": ("[[random]]\nmodels=0", ["random.models (=0)"]),
    "random without a count": ("[[random]]\nseed=0", ["random.models"]),
    "unknown key of random": ("[[random]]\nmodels=1\nskips=2", ["random.skips", "num_skips"]),
    "too many skips": ("[[random]]\nmodels=1\nnum_skips=9", ["random.num_skips (=9)"]),
    "unknown data set": ("[settings]\ndata='svhn'\n[matrix]\nseed=[0]", ["svhn", "digits"]),
    "missing folder": (
        "[settings]\ndata='parquet:/nowhere'\n[matrix]\nseed=[0]",
        ["/nowhere", "train*.parquet"],
    ),
    "axis without effect": (
        "[matrix]\nmethod=['darts']\nop_threshold=[0.8,0.9]",
        ["op_threshold=0.8", "op_threshold=0.9", "same computation"],
    ),
    "no such resource": ("[resources]\ncpus=2\n[matrix]\nseed=[0]", ["resources.cpus"]),
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_:
        patch.setattr("sys.argv", ["fairdarts", *arguments])
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, capsys.readouterr().err


def assert_refused(code: int, message: str, words: list[str]) -> None:
    assert code == 2
    assert message.startswith("error: ")
    assert len(message.strip().splitlines()) == 1, message
    for word in words:
        assert word in message


@pytest.mark.parametrize("case", SWEEP_FILES, ids=lambda case: case.replace(" ", "_"))
def test_a_faulty_sweep_file_is_refused_and_nothing_is_written(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, words = SWEEP_FILES[case]
    path = tmp_path / "sweep.toml"
    path.write_text(text, "utf-8")
    store = tmp_path / "store"

    code, message = run(capsys, "sweep", "run", str(path), "--store", str(store))

    assert_refused(code, message, words)
    assert not store.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep", "run", "nosuch"], ["nosuch", "quickstart"]),
        (["sweep", "run", "nosuch.toml"], ["nosuch.toml"]),
        (["sweep", "run", "quickstart", "--set", "seed"], ["--set seed", "key=value"]),
        (["sweep", "run", "quickstart", "--set", "seeds=3"], ["seeds"]),
        (
            ["sweep", "run", "quickstart", "--set", "resources.cpus_per_trial=4096"],
            ["4096", "Lower them"],
        ),
        (
            ["sweep", "run", "quickstart", "--set", "resources.gpus_per_trial=512"],
            ["512", "Lower them"],
        ),
        (["search", "--method", "foo"], ["foo", "fairdarts, darts"]),
        (["search", "--data", "folder:/nowhere"], ["/nowhere"]),
        (["search", "--set", "search.num_cells=2"], ["search.num_cells (=2)"]),
        (["retrain", "FairDARTS_z"], ["FairDARTS_z", "closest"]),
        (["retrain", "missing.json"], ["missing.json"]),
        (["doctor", "--download", "imagenet"], ["imagenet", "cifar10"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_faulty_arguments_are_refused_and_nothing_is_written(
    arguments: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"

    code, message = run(capsys, *arguments, "--store", str(store))

    assert_refused(code, message, words)
    assert not store.exists()


@pytest.mark.parametrize(
    "arguments",
    [["sweep", "status", "quickstart"], ["sweep", "resume", "quickstart"], ["results", "table"]],
    ids=" ".join,
)
def test_a_folder_that_is_no_store_is_named_with_the_remedy(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = run(capsys, *arguments, "--store", str(tmp_path))

    assert_refused(code, message, [str(tmp_path), "STORE.json", "run a sweep"])


@pytest.mark.parametrize(
    "arguments",
    [["sweep", "status", "other"], ["sweep", "resume", "other"], ["results", "table", "other"]],
    ids=" ".join,
)
def test_a_sweep_that_the_store_has_not_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Store.create(tmp_path)

    code, message = run(capsys, *arguments, "--store", str(tmp_path))

    assert_refused(code, message, ["other", str(tmp_path)])


def test_a_store_of_a_newer_version_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = {"format": "fairdarts-store", "schema_major": 99, "schema_minor": 0}
    (tmp_path / "STORE.json").write_text(json.dumps(header))

    code, message = run(capsys, "results", "table", "--store", str(tmp_path))

    assert_refused(code, message, ["99", "newer"])


def test_a_cluster_that_does_not_answer_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = run(
        capsys, "sweep", "run", "quickstart", "--address", "127.0.0.1:1", "--store", str(tmp_path)
    )

    assert_refused(code, message, ["127.0.0.1:1", "ray start --head"])


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        '{"normal": []}',
        '{"normal": [{"op": "__import__", "from": 0, "to": 2}], "reduce": []}',
        '{"normal": [{"op": "skip_connect", "from": 9, "to": 2}], "reduce": []}',
    ],
)
def test_a_faulty_genotype_file_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "genotype.json"
    path.write_text(text)

    code, message = run(capsys, "retrain", str(path), "--store", str(tmp_path / "store"))

    assert_refused(code, message, [])
    assert not (tmp_path / "store").exists()
