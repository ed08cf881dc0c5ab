"""Bad input ends in one sentence on stderr and exit code 2: no traceback, nothing half-written."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from command_process import COMMAND, REPOSITORY
from in_process import exit_code

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
    "value under a short name": (
        "[settings]\nop_threshold=1.5\n[matrix]\nseed=[0]",
        ["sweep.toml, [settings] op_threshold: derive.op_threshold (=1.5)"],
    ),
    "value of an axis": (
        "[matrix]\nsearch.epochs=[3, 0]",
        ["sweep.toml, [matrix] search.epochs: search.epochs (=0)"],
    ),
    "value of a method": (
        "[methods.darts]\nalpha_lr=-1.0\n[matrix]\nmethod=['darts']",
        ["sweep.toml, [methods.darts] alpha_lr: search.alpha_lr (=-1.0)"],
    ),
    "seed out of range": ("[matrix]\nseed=[-1]", ["sweep.toml, [matrix] seed: search.seed (=-1)"]),
    "size of 20 digits": (
        "[settings]\nsearch.init_channels=99999999999999999999\n[matrix]\nseed=[0]",
        ["search.init_channels (=99999999999999999999)", "10000"],
    ),
    "nested too deeply": ("x = " + "[" * 5000 + "]" * 5000, ["sweep.toml", "nested too deeply"]),
    "tables in tables": (
        "[settings]\nsearch.epochs.a.b.c = 1\n[matrix]\nseed=[0]",
        ["search.epochs", "cannot be a table"],
    ),
    "long value": ("[settings]\nsearch.epochs='" + "9" * 999 + "'\n[matrix]\nseed=[0]", ["999..."]),
    "a million trials": (
        f"[matrix]\nseed={list(range(1000))}\nsearch.epochs={list(range(1, 1001))}",
        ["sweep.toml has 1,000,000 trials", "seed has 1,000", "100,000"],
    ),
    "more random models than a plan holds": (
        "[[random]]\nmodels=1000000000",
        ["1,000,000,000 trials", "[[random]]"],
    ),
    "window of random genotypes that is empty": (
        "[[random]]\nmodels=2\nmin_multadds_m=900.0",
        ["min_multadds_m = 900", "227.3M to 683.6M"],
    ),
    "cutout as large as the image": (
        "[settings]\nretrain.cutout=32\n[matrix]\nseed=[0]",
        ["retrain.cutout (=32)", "32 x 32"],
    ),
    "settings of the other kind of network": (
        "[settings]\nretrain.width=0.5\n[matrix]\nseed=[0]",
        ["retrain.width (=0.5)", "layers (S2)"],
    ),
    "method inside a method's table": (
        "[methods.darts]\nmethod='fairdarts'\n[matrix]\nmethod=['darts']",
        ["[methods.darts] sets method", "[matrix]"],
    ),
    "two seeds of the search": (
        "[settings]\nsearch.seed=3\n[matrix]\nseed=[0]",
        ["seed and search.seed are both given"],
    ),
    "no such resource": ("[resources]\ncpus=2\n[matrix]\nseed=[0]", ["resources.cpus"]),
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    return exit_code(*arguments), capsys.readouterr().err


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
            ["sweep", "run", "quickstart", "--set", "op_threshold=2.0"],
            ["quickstart, --set op_threshold: derive.op_threshold (=2.0)"],
        ),
        (
            ["sweep", "run", "quickstart", "--set", "search.epochs=1 search.batch_size=8"],
            ["one assignment for each --set"],
        ),
        (
            ["sweep", "run", "quickstart", "--set", "search.epochs=1\nsearch.batch_size=8"],
            ["one assignment for each --set"],
        ),
        (
            ["sweep", "run", "quickstart", "--set", f"seed={'[' * 5000}{']' * 5000}"],
            ["seed", "nested too deeply"],
        ),
        (
            ["sweep", "run", "quickstart", "--set", "resources.cpus_per_trial=4096"],
            ["4096", "Lower them"],
        ),
        (
            ["sweep", "run", "quickstart", "--set", "resources.gpus_per_trial=512"],
            ["512", "computes on one GPU"],
        ),
        (["search", "--method", "foo"], ["foo", "fairdarts, darts"]),
        (["search", "--data", "folder:/nowhere"], ["/nowhere"]),
        (["search", "--threads", "4096"], ["--threads (=4096)", "CPU cores"]),
        (["search", "--set", "search.num_cells=2"], ["--set search.num_cells (=2)"]),
        (["search", "--set", "op_threshold=2.0"], ["error: --set op_threshold (=2.0)"]),
        (["search", "--seed", "-1"], ["error: --seed (=-1)"]),
        (["retrain", "FairDARTS_a", "--seed", "-1"], ["error: --seed (=-1)"]),
        (["search", "--set", "search.seed=1"], ["--set search.seed: give it as --seed"]),
        (["search", "--set", "data=cifar10"], ["--set data: give it as --data"]),
        (["search", "--set", "retrain.epochs=2"], ["retrain.epochs changes nothing in a search"]),
        (["retrain", "FairDARTS_a", "--set", "alpha_lr=0.1"], ["alpha_lr changes nothing"]),
        (
            ["search", "--set", "search.epochs=2", "--set", "search.epochs=3"],
            ["search.epochs is given twice"],
        ),
        (["search", "--set", "search.init_channels=99999999999999999999"], ["init_channels"]),
        (["search", "--set", "data.num_train=8"], ["8 training images", "10 classes"]),
        (["retrain", "FairDARTS_a", "--set", "retrain.width=2.0"], ["retrain.width", "S1"]),
        (
            ["retrain", " ".join(["E3K3"] * 19), "--set", "retrain.init_channels=99"],
            ["retrain.init_channels (=99)", "S2"],
        ),
        (
            ["retrain", "FairDARTS_a", "--set", "recipe=imagenet-transfer"],
            ["32x32", "auxiliary head", "224x224"],
        ),
        (
            ["retrain", '{"normal": [], "reduce": []}'],
            ["builds no network", "the normal cell has no live node"],
        ),
        (["retrain", "FairDARTS_z"], ["FairDARTS_z", "closest"]),
        (["retrain", "missing.json"], ["missing.json"]),
        (["doctor", "--download", "imagenet"], ["imagenet", "cifar10"]),
        (["doctor", "--set", "search.epochs=5"], ["search.epochs", "give --sweep"]),
        (["doctor", "--set", "image_size=32"], ["image_size", "give --data"]),
        (["doctor", "--contact-sheet", "sheet.png"], ["--contact-sheet", "give --data once"]),
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


@pytest.mark.parametrize("arguments", [["results", "table"], ["sweep", "run", "quickstart"]])
def test_a_store_whose_name_is_not_text_is_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "b\udcfc"

    code, message = run(capsys, *arguments, "--store", str(store))

    assert_refused(code, message, ["b\\udcfc", "LC_ALL=C.UTF-8"])
    assert not store.exists()


@pytest.mark.skipif(shutil.which("setpriv") is None and os.geteuid() == 0, reason="root reads all")
@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "t"],
        ["sweep", "plan", "quickstart"],
        ["sweep", "status", "t"],
        ["results", "table"],
        ["store", "check"],
    ],
    ids=" ".join,
)
def test_a_store_that_this_user_may_not_read_is_named(arguments: list[str], tmp_path: Path) -> None:
    Store.create(tmp_path / "store")
    (tmp_path / "store").chmod(0)
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

    done = subprocess.run(
        [*powerless, *COMMAND, *arguments, "--store", str(tmp_path / "store")],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )

    (tmp_path / "store").chmod(0o700)
    assert_refused(done.returncode, done.stderr, ["Permission denied", "change who may read"])
