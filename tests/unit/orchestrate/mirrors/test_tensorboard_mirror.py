"""Read with TensorBoard's own reader."""

from pathlib import Path
from typing import Any

import pytest
from mirrored_sweep import MirroredSweep

from orchestrate.mirrors.mirror import CURVES
from orchestrate.planning.plan import StageSpec

pytest.importorskip("tensorboard", reason="needs tensorboard: pip install tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from orchestrate.mirrors.tensorboard_mirror import TensorBoardMirror


def accumulated(folder: Path, stage: StageSpec) -> Any:
    (place,) = folder.glob(f"*/*/*-{stage.key}")
    events = EventAccumulator(str(place), size_guidance={"scalars": 0, "histograms": 0})
    return events.Reload()


def assert_shows(folder: Path, sweep: MirroredSweep, stage: StageSpec) -> None:
    """Every number of the store's rows is one point, and there is no other point."""
    events, rows = accumulated(folder, stage), sweep.rows(stage)
    names = [name for name in CURVES if rows[0][name] is not None]
    tags = {tag for tag in events.Tags()["scalars"] if not tag.startswith("result/")}
    assert tags == {f"{stage.kind}/{name}" for name in names}
    for name in names:
        points = events.Scalars(f"{stage.kind}/{name}")
        assert [point.step for point in points] == [row["epoch"] for row in rows]
        assert [point.value for point in points] == pytest.approx([row[name] for row in rows])
        times = [row["written_at"].timestamp() for row in rows]
        assert [point.wall_time for point in points] == pytest.approx(times)


def test_curves_and_histograms_are_those_of_the_store(sweep: MirroredSweep, tmp_path: Path) -> None:
    sweep.write(sweep.search, 3)
    sweep.follower(TensorBoardMirror(tmp_path / "tb")).look()
    assert_shows(tmp_path / "tb", sweep, sweep.search)
    events = accumulated(tmp_path / "tb", sweep.search)
    assert events.Tags()["histograms"] == ["search/alphas", "search/gates"]
    gates = events.Histograms("search/gates")
    assert [histogram.step for histogram in gates] == [0, 1, 2]
    assert gates[-1].histogram_value.num == 196
    assert gates[-1].histogram_value.max == pytest.approx(0.99)


def test_a_finished_retraining_has_its_results_and_its_genotype(
    sweep: MirroredSweep, tmp_path: Path
) -> None:
    sweep.write_genotype()
    sweep.write(sweep.retrain, 2)
    sweep.finish(sweep.retrain, test_top1_pct=51.0, params=3_300_000)
    sweep.follower(TensorBoardMirror(tmp_path / "tb")).look()
    assert_shows(tmp_path / "tb", sweep, sweep.retrain)
    events = accumulated(tmp_path / "tb", sweep.retrain)
    assert [point.value for point in events.Scalars("result/params")] == [3_300_000]
    (text,) = events.Tensors("genotype/text_summary")
    assert text.tensor_proto.string_val == [b'{"normal": []}']


def test_new_epochs_are_added_while_the_stage_runs(sweep: MirroredSweep, tmp_path: Path) -> None:
    follower = sweep.follower(TensorBoardMirror(tmp_path / "tb"))
    for num_epochs in (1, 2, 4):
        sweep.write(sweep.search, num_epochs)
        follower.look()
        assert_shows(tmp_path / "tb", sweep, sweep.search)
    assert len(list(tmp_path.glob("tb/*/*/*/events*"))) == 1


@pytest.mark.parametrize("has_record", [True, False])
def test_another_process_continues_without_a_double_point(
    sweep: MirroredSweep, tmp_path: Path, has_record: bool
) -> None:
    sweep.write(sweep.search, 2)
    sweep.follower(TensorBoardMirror(tmp_path / "tb")).look()
    if not has_record:  # Killed after the events were written.
        next(tmp_path.glob("tb/*/*/*/shown.json")).unlink()
    sweep.write(sweep.search, 4)
    sweep.follower(TensorBoardMirror(tmp_path / "tb")).look()
    assert_shows(tmp_path / "tb", sweep, sweep.search)


def test_epochs_that_are_computed_again_replace_the_first_ones(
    sweep: MirroredSweep, tmp_path: Path
) -> None:
    follower = sweep.follower(TensorBoardMirror(tmp_path / "tb"))
    sweep.write(sweep.search, 3)
    follower.look()
    sweep.write(sweep.search, 4, attempt=2, kept=2)
    follower.look()
    assert [row["attempt"] for row in sweep.rows(sweep.search)] == [1, 1, 2, 2]
    assert_shows(tmp_path / "tb", sweep, sweep.search)


def test_a_stage_that_failed_is_shown_to_its_end_when_it_is_tried_again(
    sweep: MirroredSweep, tmp_path: Path
) -> None:
    follower = sweep.follower(TensorBoardMirror(tmp_path / "tb"))
    sweep.write(sweep.search, 1)
    sweep.fail(sweep.search)
    follower.look()
    sweep.write(sweep.search, 2, attempt=2, kept=1)
    sweep.finish(sweep.search, attempt=2)
    follower.look()
    assert_shows(tmp_path / "tb", sweep, sweep.search)


def test_a_finished_stage_is_not_written_again(sweep: MirroredSweep, tmp_path: Path) -> None:
    sweep.write(sweep.search, 2)
    sweep.finish(sweep.search)
    sweep.follower(TensorBoardMirror(tmp_path / "tb")).look()
    before = {path: path.stat() for path in tmp_path.glob("tb/*/*/*/*")}
    sweep.follower(TensorBoardMirror(tmp_path / "tb")).look()
    assert {path: path.stat() for path in tmp_path.glob("tb/*/*/*/*")} == before


def test_the_folder_of_a_stage_stays_when_its_trial_is_named_differently(
    sweep: MirroredSweep, tmp_path: Path
) -> None:
    sweep.write(sweep.search, 1)
    sweep.follower(TensorBoardMirror(tmp_path / "tb")).look()
    more = sweep.submit("seed=[0]", "search.epochs=[2, 3]")
    assert more.trials[0].label != sweep.submission.trials[0].label
    sweep.write(sweep.search, 2)
    sweep.follower(TensorBoardMirror(tmp_path / "tb"), more).look()
    assert_shows(tmp_path / "tb", sweep, sweep.search)


def test_a_folder_that_is_gone_is_made_again(sweep: MirroredSweep, tmp_path: Path) -> None:
    follower = sweep.follower(TensorBoardMirror(tmp_path / "tb"))
    sweep.write(sweep.search, 1)
    follower.look()
    (tmp_path / "tb").rename(tmp_path / "elsewhere")
    sweep.write(sweep.search, 2)
    follower.look()
    assert_shows(tmp_path / "tb", sweep, sweep.search)
