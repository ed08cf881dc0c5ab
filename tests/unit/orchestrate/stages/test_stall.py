"""A stage that does not get on: a real process waits for a file that never comes."""

import os
import subprocess
import sys
from pathlib import Path

from jpeg_files import write_folder
from repository import SUPPORT
from tiny_sweeps import tiny_trials, wait_until

from orchestrate.stages.lease import Attempt
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.stall import EXIT_CODE
from orchestrate.stages.state import stage_state
from results.store.store import Store

STALL_AFTER_S = 2


def test_a_process_without_epochs_ends_itself_and_leaves_word_why(tmp_path: Path) -> None:
    write_folder(tmp_path / "images", {"a": 40, "b": 40})
    data = [f"data.source=folder:{tmp_path / 'images'}", "data.augmentation=resized_crop"]
    stage = tiny_trials(*data, "search.epochs=400")[0].stages[0]
    store = Store.create(tmp_path / "store")
    paths = StagePaths(store.stage_dir(stage.kind, stage.key))
    process = subprocess.Popen(
        [sys.executable, SUPPORT / "stalling.py", store.root, str(STALL_AFTER_S), *data]
    )
    try:
        wait_until(lambda: process.poll() is not None or bool(store.read("epochs")), "an epoch")
        for image in (tmp_path / "images" / "train").glob("*/*"):
            os.mkfifo(tmp_path / "fifo")
            (tmp_path / "fifo").replace(image)  # As on a file server that does not answer.
        wait_until(lambda: process.poll() is not None, "the process to end")
    finally:
        process.kill()
        process.wait()
    assert process.returncode == EXIT_CODE
    state = stage_state(paths.folder)
    assert (state.status, state.num_failures, state.starts_again) == ("lost", 0, True)
    assert f"Stalled: no epoch for {STALL_AFTER_S} s" in state.reason
    assert Attempt.take(paths.folder).number == 2
