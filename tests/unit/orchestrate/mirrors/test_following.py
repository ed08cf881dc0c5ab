"""What holds for every mirror, with TensorBoard's."""

import threading
from pathlib import Path

import pytest
from mirrored_sweep import MirroredSweep
from tiny_sweeps import wait_until

from orchestrate.mirrors.following import Follower, mirrored

pytest.importorskip("tensorboard", reason="needs tensorboard: pip install tensorboard")

from orchestrate.mirrors.tensorboard_mirror import TensorBoardMirror


def run_once(follower: Follower) -> None:
    stop = threading.Event()
    stop.set()
    follower.run(stop)


def test_a_target_that_cannot_be_written_is_named_once_and_tried_again(
    sweep: MirroredSweep, tmp_path: Path
) -> None:
    sweep.write(sweep.search, 1)
    follower = sweep.follower(TensorBoardMirror(tmp_path / "tb"))
    (tmp_path / "tb" / "tiny").write_text("a file where a folder must be")
    run_once(follower)
    run_once(follower)
    assert sweep.said == [
        f"warning: {tmp_path / 'tb'} cannot be written (Not a directory). The sweep goes on, and "
        "this is tried again."
    ]
    (tmp_path / "tb" / "tiny").unlink()
    run_once(follower)
    assert len(list(tmp_path.glob("tb/tiny/*/*/events*"))) == 1


def test_one_run_at_a_time_writes_to_a_target(sweep: MirroredSweep, tmp_path: Path) -> None:
    sweep.write(sweep.search, 1)
    with mirrored(
        sweep.store, sweep.submission, [TensorBoardMirror(tmp_path / "tb")], sweep.said.append
    ):
        wait_until(lambda: bool(list(tmp_path.glob("tb/*/*/*/shown.json"))), "the first run")
        sweep.write(sweep.search, 2)
        run_once(sweep.follower(TensorBoardMirror(tmp_path / "tb")))
        assert sweep.said == [f"{tmp_path / 'tb'} is written by another run."]
    sweep.write(sweep.search, 3)
    run_once(sweep.follower(TensorBoardMirror(tmp_path / "tb")))
    assert '"num_epochs": 3' in next(tmp_path.glob("tb/*/*/*/shown.json")).read_text("utf-8")


def test_trials_that_another_run_adds_to_the_sweep_are_shown_too(
    sweep: MirroredSweep, tmp_path: Path
) -> None:
    follower = sweep.follower(TensorBoardMirror(tmp_path / "tb"))
    more = sweep.submit("seed=[0, 1]")
    new = more.trials[1].stages[0]
    sweep.write(new, 1)
    follower.look()
    assert len(list(tmp_path.glob(f"tb/*/*/search-{new.key}/events*"))) == 1


def test_sealed_rows_are_shown(sweep: MirroredSweep, tmp_path: Path) -> None:
    from orchestrate.running.sealing import seal_finished

    sweep.write(sweep.search, 2)
    sweep.finish(sweep.search)
    row = {"stage_key": sweep.search.key, "attempt": 1, "kind": "search", "status": "ok"}
    sweep.store.write_rows("attempts", f"{sweep.search.key}.a0001", [row])
    (sweep.store.stage_dir("search", sweep.search.key) / "attempts" / "a0001").mkdir(parents=True)
    assert seal_finished(sweep.store) == 1
    sweep.follower(TensorBoardMirror(tmp_path / "tb")).look()
    record = next(tmp_path.glob("tb/*/*/*/shown.json")).read_text("utf-8")
    assert '"num_epochs": 2' in record and '"end": "done"' in record
