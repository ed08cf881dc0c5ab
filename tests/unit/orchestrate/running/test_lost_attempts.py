"""Every view counts an attempt whose process was killed, though nobody runs its sweep again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from in_process import exit_code
from repository import SUPPORT
from tiny_sweeps import tiny_sweep, tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import submit
from orchestrate.running.cost import sweep_cost
from orchestrate.running.sealing import seal_finished
from orchestrate.running.trial import run_stage
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.runtime import Runtime
from results.query.checklist import checklist
from results.query.opened import OpenedStore
from results.query.tables import Tables
from results.store.attempt_files import AttemptPaths
from results.store.attempts import read_attempts
from results.store.files import read_json, write_json
from results.store.layout import live_name
from results.store.store import Store

STARTED = datetime(2026, 1, 1, 12, tzinfo=UTC)
LAST_LINE_S, LAST_BEAT_S = 590, 600
FILES_ARE_LATE_S = 300
"""The clock of the file system runs ahead of that of the process."""
ENDED = STARTED + timedelta(seconds=LAST_BEAT_S)
END = ("status", "ended_at", "wall_s")
GPU_HOURS = "SELECT sum(wall_s * num_gpus) / 3600 AS hours FROM attempts"


@pytest.fixture(scope="module")
def trial() -> TrialSpec:
    (trial,) = tiny_trials("search.epochs=1")
    return trial


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, str(SUPPORT / "contender.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def running(trial: TrialSpec, tmp_path: Path, process: "subprocess.Popen[str]") -> Store:
    """A real process holds the search; its row is the one that a search writes at its start."""
    store = Store.create(tmp_path / "store")
    submit(store, "tiny", [trial], tiny_sweep().resources)
    stage = trial.stages[0]
    paths = StagePaths(store.stage_dir(stage.kind, stage.key))
    write_json(paths.spec, asdict(stage))
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"hold {paths.folder}\n")
    process.stdin.flush()
    assert [process.stdout.readline() for _ in range(2)] == ["up\n", "held 1\n"]
    row = {"stage_key": stage.key, "attempt": 1, "kind": stage.kind, "status": "running"}
    row |= {"started_at": STARTED, "host": "here", "pid": process.pid, "num_gpus": 0.5}
    store.write_rows("attempts", live_name(stage.key, 1), [row])
    epoch = {"stage_key": stage.key, "attempt": 1, "kind": "search", "epoch": 0, "wall_s": 580.0}
    store.write_rows("epochs", live_name(stage.key, 1), [epoch])
    last_line = STARTED + timedelta(seconds=LAST_LINE_S)
    paths.attempt(1).log.write_text(f"{last_line:%Y-%m-%d %H:%M:%S} epoch 0\nan odd line\n")
    return store


@pytest.fixture
def killed(running: Store, trial: TrialSpec, process: "subprocess.Popen[str]") -> Store:
    process.kill()
    process.wait()
    age(attempt_of(running, trial))
    return running


def attempt_of(store: Store, trial: TrialSpec) -> AttemptPaths:
    stage = trial.stages[0]
    return AttemptPaths.of(store.stage_dir(stage.kind, stage.key), 1)


def age(attempt: AttemptPaths) -> None:
    """Make the files as old as if the attempt had really been made then."""
    for path, after_s in (
        (attempt.lease, 0),
        (attempt.heartbeat, LAST_BEAT_S),
        (attempt.log, LAST_LINE_S),
    ):
        time_s = STARTED.timestamp() + after_s + FILES_ARE_LATE_S
        os.utime(path, (time_s, time_s))


def only_attempt(store: Store, columns: tuple[str, ...] = END) -> dict[str, Any]:
    (row,) = read_attempts(store, columns=columns).to_pylist()
    return row


def answers(store: Store) -> dict[str, tuple[str, str]]:
    table = checklist(Tables(store)).to_pylist()
    return {row["point"]: (row["answer"], row["evidence"]) for row in table}


def test_an_attempt_whose_process_lives_is_running(running: Store) -> None:
    assert only_attempt(running) == {"status": "running", "ended_at": None, "wall_s": None}
    assert answers(running)["Is the time of all of it known?"] == ("no", "no attempt has ended")


def test_every_view_has_the_end_of_a_killed_attempt(
    killed: Store, trial: TrialSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    end = {"status": "lost", "ended_at": ENDED, "wall_s": float(LAST_BEAT_S)}
    assert only_attempt(killed) == end
    opened = OpenedStore(killed.root)
    (row,) = opened.attempts("arrow").to_pylist()
    assert row | end == row
    assert opened.sql(GPU_HOURS, "arrow").to_pylist() == [{"hours": LAST_BEAT_S * 0.5 / 3600}]
    cost = sweep_cost(killed, [trial])
    assert (cost.slot_s, cost.gpu_s, cost.elapsed_s) == (LAST_BEAT_S, LAST_BEAT_S / 2, LAST_BEAT_S)
    said = answers(killed)
    assert said["Is the time of all of it known?"][1].startswith("search 0.17 h")
    assert said["Is there performance over time?"] == (
        "partly",
        "the epochs so far of 1 that are not finished (epochs)",
    )
    assert exit_code("sweep", "why", trial.trial_id, "--store", killed.root) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" lost")
    assert lines[1].startswith("  attempt 1: lost, 2026-01-01 12:00:00 UTC for 10 min")


def test_the_next_attempt_writes_the_end_that_the_views_had(
    killed: Store, trial: TrialSpec
) -> None:
    before = Tables(killed).read("attempts").drop_columns("newest").to_pylist()
    assert run_stage(trial.stages[0], killed, Runtime("cpu", num_threads=1)) == "ok"
    stored = killed.read("attempts").sort_by("attempt").to_pylist()
    assert stored[:1] == before
    assert [row["status"] for row in stored] == ["lost", "ok"]


def test_a_silent_process_elsewhere_is_lost_and_marking_it_changes_no_time(
    killed: Store, trial: TrialSpec
) -> None:
    attempt = attempt_of(killed, trial)
    attempt.lease.write_text(json.dumps(read_json(attempt.lease) | {"host": "elsewhere"}))
    age(attempt)
    before = only_attempt(killed)
    assert run_stage(trial.stages[0], killed, Runtime("cpu", num_threads=1)) == "ok"
    first, _ = killed.read("attempts").sort_by("attempt").to_pylist()
    assert first["failure_kind"] == "stalled"
    assert {name: first[name] for name in END} == before
    assert before["wall_s"] == LAST_BEAT_S


def test_a_beating_process_elsewhere_is_running(killed: Store, trial: TrialSpec) -> None:
    attempt = attempt_of(killed, trial)
    attempt.lease.write_text(json.dumps(read_json(attempt.lease) | {"host": "elsewhere"}))
    attempt.heartbeat.touch()
    assert only_attempt(killed)["status"] == "running"


def test_a_copy_whose_files_have_the_time_of_the_copy_has_the_hours_of_the_log(
    killed: Store, tmp_path: Path
) -> None:
    copy = shutil.copytree(killed.root, tmp_path / "copy", copy_function=shutil.copyfile)
    assert only_attempt(Store.open(copy))["wall_s"] == pytest.approx(LAST_LINE_S, abs=5)


def test_rows_without_the_files_of_their_attempts_are_as_they_were_written(killed: Store) -> None:
    shutil.rmtree(killed.root / "stages")
    assert only_attempt(killed)["status"] == "running"


def test_other_rows_keep_their_order_and_values(killed: Store) -> None:
    done = {"kind": "derive", "status": "ok", "started_at": STARTED, "ended_at": ENDED}
    for key in ("0" * 16, "f" * 16):
        row = done | {"stage_key": key, "attempt": 1, "wall_s": 1.0}
        killed.write_rows("attempts", live_name(key, 1), [row])
    stored, read = killed.read("attempts"), read_attempts(killed)
    assert read.schema == stored.schema
    assert read["stage_key"].equals(stored["stage_key"])
    assert (read.slice(0, 1), read.slice(2)) == (stored.slice(0, 1), stored.slice(2))


def test_an_attempt_that_nobody_has_ended_is_lost_when_its_stage_is_sealed(
    killed: Store, trial: TrialSpec
) -> None:
    (row,) = killed.read("attempts").to_pylist()
    assert run_stage(trial.stages[0], killed, Runtime("cpu", num_threads=1)) == "ok"
    killed.write_rows("attempts", live_name(row["stage_key"], 1), [row])
    assert seal_finished(killed)
    for columns in (None, END):
        first, last = read_attempts(killed, columns=columns).sort_by("ended_at").to_pylist()
        assert (first["status"], first["wall_s"], last["status"]) == ("lost", LAST_BEAT_S, "ok")
