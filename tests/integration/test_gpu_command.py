"""`python -m benchmarks.gpu` where nothing but what it names is installed, on a CPU and tiny."""

import json
import subprocess
from pathlib import Path

import pytest
from bare_environment import bare_environment
from repository import ROOT
from stored_images import write_images


def run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    packages = ("torch", "timm", "pydantic", "numpy")
    return bare_environment(tmp_path_factory.mktemp("bare"), packages)


@pytest.mark.slow
def test_all_parts_are_measured_without_what_sweeps_need(python: Path, tmp_path: Path) -> None:
    imported = subprocess.run([str(python), "-c", "import ray"], check=False, capture_output=True)
    assert imported.returncode != 0
    folder = tmp_path / "new" / "results"

    tiny = ("--device", "cpu", "--tiny", "--data", str(tmp_path))
    done = run(python, "--out", str(folder), *tiny)

    assert done.returncode == 0, done.stdout + done.stderr
    parts = {
        part["name"]: part for part in json.loads((folder / "gpu.json").read_text("utf-8"))["parts"]
    }
    epoch = parts.pop("epoch")
    assert (epoch["status"], epoch["reason"]) == (
        "skipped",
        "pyarrow is missing: pip install pyarrow",
    )
    compiled = parts.pop("compiled")
    assert (compiled["status"], compiled["reason"]) == (
        "skipped",
        "compiled networks are for GPUs",
    )
    assert {name: part["status"] for name, part in parts.items()} == dict.fromkeys(parts, "done")
    readings = [reading for part in parts.values() for reading in part["readings"]]
    assert {reading["what"]: reading["note"] for reading in readings if not reading["value"]} == {}
    assert (folder / "gpu.md").read_text("utf-8") in done.stdout


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path) -> None:
    done = run(bare_environment(tmp_path / "bare", ["numpy"]), "--out", str(tmp_path / "results"))

    assert done.returncode == 2
    assert done.stderr == (
        "benchmarks.gpu: torch, timm and pydantic are missing: pip install torch timm pydantic.\n"
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_an_epoch_of_given_images_needs_pyarrow_alone(tmp_path: Path) -> None:
    packages = ("torch", "timm", "pydantic", "numpy", "pyarrow")
    python = bare_environment(tmp_path / "bare", packages)
    write_images(tmp_path / "images")

    tiny = ("--device", "cpu", "--tiny", "--only", "epoch", "--data", str(tmp_path / "images"))
    done = run(python, "--out", str(tmp_path), *tiny)

    assert done.returncode == 0, done.stdout
    assert "loading 12 images" in done.stdout
    assert "epoch 2 of a search" in done.stdout
