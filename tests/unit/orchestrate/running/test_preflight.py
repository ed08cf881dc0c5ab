"""What a node says of itself before it computes anything, and what a cluster of two is told."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from repository import ROOT, SUPPORT
from stored_images import png, write_images
from tiny_sweeps import tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.running.preflight import this_node
from orchestrate.stages.runtime import versions
from results.store.store import Store

MARK = ".mark-1.tmp"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "store")
    (store.root / MARK).touch()
    return store


def data_of(trial: TrialSpec) -> list[dict[str, object]]:
    return [stage.config["data"] for stage in trial.stages if "data" in stage.config]


def test_a_node_that_can_compute_has_no_fault(store: Store) -> None:
    (trial,) = tiny_trials()
    node = this_node(str(store.root), MARK, data_of(trial))
    assert (node.fault, node.versions) == ("", versions())


def test_another_folder_of_the_same_name_is_not_the_store(store: Store) -> None:
    node = this_node(str(store.root), ".mark-2.tmp", [])
    assert node.fault.endswith("is another folder there: the store must be on a shared disk")


def test_a_folder_that_is_no_store_is_a_fault(tmp_path: Path) -> None:
    assert "is not a results store" in this_node(str(tmp_path), MARK, []).fault


def test_missing_images_are_a_fault(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    write_images(folder, [png(20 * index) for index in range(12)])
    (trial,) = tiny_trials(f"data=parquet:{folder}", "data.num_train=12", "data.num_test=4")
    assert this_node(str(store.root), MARK, data_of(trial)).fault == ""
    for path in folder.iterdir():
        path.unlink()
    assert str(folder) in this_node(str(store.root), MARK, data_of(trial)).fault


def test_a_node_without_the_images_is_named_and_a_cluster_without_a_token_is_told_of(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "images"
    for split in ("train", "test"):
        for index in range(8):
            path = folder / split / f"class{index % 2}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(20 * index))
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as ray_tmp:
        done = subprocess.run(
            [sys.executable, str(SUPPORT / "node_check.py"), str(tmp_path / "store"), str(folder)],
            env=os.environ
            | {
                "HOME": str(tmp_path),
                "RAY_TMPDIR": ray_tmp,
                "PYTHONPATH": f"{ROOT}:{SUPPORT}",
                "RAY_AUTH_MODE": "disabled",
            },
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    warnings, refused, left = done.stdout.splitlines()
    assert "the cluster asks nobody for a token" in warnings, done.stderr
    assert refused.startswith("refused 2 of the cluster's 2 nodes cannot compute these trials: ")
    assert str(folder) in refused
    assert left == "left ['STORE.json']"
