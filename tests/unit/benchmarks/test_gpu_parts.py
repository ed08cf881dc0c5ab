"""One part of `benchmarks.gpu` that goes wrong is a row, and costs the others nothing."""

import json
from pathlib import Path

import psutil
import pytest
from gpu_parts import FIRST

from benchmarks.gpu import nodes
from benchmarks.gpu.measure import covered
from benchmarks.gpu.mps import CONTROL, NoMps, mps
from benchmarks.gpu.parts import Part, all_parts
from benchmarks.gpu.processes import run_part
from benchmarks.gpu.readings import TINY, Reading, Setup
from benchmarks.gpu.report import write

SETUP = Setup("cpu", TINY, None)


@pytest.fixture(scope="module", autouse=True)
def started_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    """So that no test waits for the imports of the first part."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    run_part(Part("work", "gpu_parts:work", 120), SETUP, 120, log, lambda: None)


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("work", "done", ""),
        ("crash", "failed", "its process ended with -11, see log.txt"),
        ("fail", "failed", "RuntimeError: CUDA error: an illegal memory access"),
        ("need_a_package", "skipped", "pyarrow is missing: pip install pyarrow"),
    ],
)
def test_a_part_keeps_what_it_read_and_says_how_it_ended(
    name: str, status: str, reason: str, tmp_path: Path
) -> None:
    part = Part(name, f"gpu_parts:{name}", 60)
    written: list[list[Reading]] = []

    run_part(part, SETUP, 60, tmp_path / "log.txt", lambda: written.append([*part.readings]))

    assert (part.status, part.reason) == (status, reason)
    assert written == [[FIRST]]
    if name == "fail":
        log = (tmp_path / "log.txt").read_text("utf-8")
        assert "what libraries print" in log
        assert "Traceback" in log


def test_a_part_that_hangs_is_ended_with_its_processes(tmp_path: Path) -> None:
    part = Part("hang", "gpu_parts:hang", 60)

    run_part(part, SETUP, 3, tmp_path / "log.txt", lambda: None)

    assert (part.status, part.reason) == ("timed out", "not done after 3 s")
    first, child = part.readings
    assert first == FIRST
    assert child.value is not None
    assert not _runs(int(child.value))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_table_has_a_line_for_every_reading_and_every_part_that_is_not_done(
    tmp_path: Path,
) -> None:
    step = Reading("ours | eager", 41.25, "ms", "2x", kernels=3900, busy_pct=97.4, peak_gib=9.44)
    parts = [
        Part("step", "", 1, "done", readings=[step, Reading("plain", note="out of memory")]),
        Part("epoch", "", 1, "timed out", reason="not done after 60 s", readings=[FIRST]),
        Part("s2", "", 1),
    ]

    write(tmp_path, {"card": "A", "torch": "2.14"}, parts)

    assert (tmp_path / "gpu.md").read_text("utf-8") == (
        "card A, torch 2.14\n\n"
        "| part | what | reading | kernels | busy | peak | remarks |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| step | ours \\| eager | 41.2 ms | 3,900 | 97 % | 9.4 GiB | 2x |\n"
        "| step | plain |  |  |  |  | out of memory |\n"
        "| epoch | first | 1.5 ms |  |  |  |  |\n"
        "| epoch |  |  |  |  |  | timed out: not done after 60 s |\n"
        "| s2 |  |  |  |  |  | not run |\n"
    )
    content = json.loads((tmp_path / "gpu.json").read_text("utf-8"))
    assert content["environment"] == {"card": "A", "torch": "2.14"}
    assert content["parts"][0]["readings"][0]["value"] == 41.25
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpu.json", "gpu.md"]


def test_time_in_which_kernels_overlap_counts_once() -> None:
    assert covered([(0, 4), (1, 2), (3, 6), (8, 9)]) == 7


def test_every_kernel_of_a_node_is_timed_by_itself() -> None:
    pytest.importorskip("triton", reason="Triton comes with torch's CUDA wheels for Linux alone")
    readings: list[Reading] = []
    # `meta` counts as a GPU and computes nothing.
    nodes.measure(Setup("meta", TINY, None), readings.append)
    names = [reading.what.partition(": ")[2] for reading in readings]
    assert names[:2] == ["plain", "ours"]
    assert "kernel 1, " in names[2]
    assert any(name.endswith("stage_forward") for name in names)
    assert all(reading.note.endswith("of the traffic bound") for reading in readings[2:])


def test_the_parts_have_names_of_their_own() -> None:
    names = [part.name for part in all_parts()]
    assert len(set(names)) == len(names)


def test_without_mps_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoMps, match="nvidia-cuda-mps-control is not installed"), mps():
        pass
    (tmp_path / CONTROL).symlink_to("/bin/false")
    with pytest.raises(NoMps, match="nvidia-cuda-mps-control ended at once"), mps():
        pass
