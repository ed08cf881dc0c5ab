"""W&B itself, offline."""

from pathlib import Path

import pytest
from mirrored_sweep import MirroredSweep
from tiny_sweeps import wait_until
from wandb_file import WandbRun, read_run

from orchestrate.errors import MirrorError
from orchestrate.mirrors.mirror import CURVES
from orchestrate.planning.plan import StageSpec

pytest.importorskip("wandb", reason="needs wandb: pip install wandb")

import wandb

from orchestrate.mirrors.wandb_mirror import WandbMirror


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    wandb.teardown()  # It reads its variables once.


def only_run(folder: Path, stage: StageSpec) -> WandbRun:
    """The only run of a stage that has ended; W&B's own process closes its file in its own time."""
    (path,) = folder.glob(f"wandb/offline-run-*/run-{stage.key}.wandb")
    wait_until(lambda: read_run(path).exit_code is not None, "W&B's process")
    return read_run(path)


def assert_shows(run: WandbRun, sweep: MirroredSweep, stage: StageSpec) -> None:
    rows = sweep.rows(stage)
    assert [point["_step"] for point in run.history] == [row["epoch"] for row in rows]
    for name in CURVES:
        points = [point.get(f"{stage.kind}/{name}") for point in run.history]
        assert points == [row[name] for row in rows]


def test_a_stage_is_a_run_with_its_settings_and_every_epoch(
    sweep: MirroredSweep, tmp_path: Path
) -> None:
    sweep.write(sweep.search, 3)
    sweep.finish(sweep.search)
    sweep.write_genotype()
    sweep.write(sweep.retrain, 2)
    sweep.finish(sweep.retrain, test_top1_pct=51.0, params=3_300_000)
    sweep.follower(WandbMirror("lab")).look()
    search, retrain = only_run(tmp_path, sweep.search), only_run(tmp_path, sweep.retrain)
    assert (search.project, search.job_type, search.exit_code) == ("lab", "search", 0)
    assert (search.name, search.group) == ("fairdarts seed=0 search", "fairdarts")
    assert search.config["search"]["zero_one_weight"] == 10.0
    assert_shows(search, sweep, sweep.search)
    assert sum(search.history[-1]["search/gates.values"]) == 196
    assert_shows(retrain, sweep, sweep.retrain)
    assert retrain.config["genotype"] == '{"normal": []}'
    assert retrain.config["derive"]["op_threshold"] == 0.3
    assert retrain.summary["result/params"] == 3_300_000


def test_a_stage_that_goes_on_in_another_process_is_whole_in_one_folder(
    sweep: MirroredSweep, tmp_path: Path
) -> None:
    first = WandbMirror("lab")
    sweep.write(sweep.search, 2)
    sweep.follower(first).look()
    first.close()
    assert only_run(tmp_path, sweep.search).exit_code == 1
    sweep.write(sweep.search, 4)
    second = WandbMirror("lab")
    sweep.follower(second).look()
    sweep.finish(sweep.search)
    sweep.follower(second).look()
    run = only_run(tmp_path, sweep.search)
    assert run.exit_code == 0
    assert_shows(run, sweep, sweep.search)
    before = sorted(tmp_path.rglob("*"))
    sweep.follower(WandbMirror("lab")).look()
    assert sorted(tmp_path.rglob("*")) == before


def test_without_an_account_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")
    wandb.teardown()
    with pytest.raises(MirrorError, match="`wandb login`, or set WANDB_API_KEY"):
        WandbMirror("lab")


def test_a_project_with_a_forbidden_name_is_refused() -> None:
    with pytest.raises(MirrorError, match="must be the name of a project"):
        WandbMirror("team/project")
