"""`fairdarts sweep watch`, once where there is no terminal, and live where there is one."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import exit_code
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.planning.submission import Submission, submit
from orchestrate.running.drivers import StopRequest, announced
from orchestrate.stages.lease import Attempt
from results.store.store import Store

Watch = Callable[..., tuple[int, str]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def submission(store: Store) -> Submission:
    """The first trial has failed, the second one is being computed, the third one waits."""
    trials = tiny_trials(matrix={"seed": [0, 1, 2]})
    failed, running = (store.stage_dir("search", key_of(trial, "search")) for trial in trials[:2])
    Attempt.take(failed).fail("exception", ValueError("no luck"))
    Attempt.take(running)
    return submit(store, "tiny", trials, tiny_sweep().resources)


@pytest.fixture
def watch(capsys: pytest.CaptureFixture[str], store: Store) -> Watch:
    def watch(*arguments: str) -> tuple[int, str]:
        code = exit_code("sweep", "watch", "tiny", *arguments, "--store", store.root)
        out, err = capsys.readouterr()
        return code, out or err

    return watch


def test_without_a_terminal_one_frame_is_printed(
    store: Store, submission: Submission, watch: Watch
) -> None:
    code, out = watch()
    assert code == 0
    assert "tiny: 3 trials: 1 failed, 1 running, 1 pending" in out
    assert "no run of it is alive" in out
    assert "time left unknown until an epoch is finished" in out
    assert "the last of 1 failure:" in out and "search: ValueError: no luck" in out
    with announced(store, submission) as driver:
        driver.ask_to_stop(StopRequest("a person asked for it"))
        assert f"run by {driver.holder} since" in (out := watch()[1])
        assert "stopping: a person asked for it" in out


def test_as_json_it_has_everything(store: Store, submission: Submission, watch: Watch) -> None:
    with announced(store, submission) as driver:
        document = json.loads(watch("--format", "json")[1])
        holder = driver.holder
    assert document["trials"] == {"failed": 1, "running": 1, "pending": 1}
    assert document["runs"] == [
        {"holder": holder, "since": document["runs"][0]["since"], "stopping": None}
    ]
    assert [node["num_stages"] for node in document["nodes"]] == [1]
    assert (document["epochs_per_h"], document["left_s"]) == (0, None)
    assert [trial["status"] for trial in document["running"]] == ["running"]
    assert "no luck" in document["failures"][0]["reason"]


@pytest.mark.slow
def test_on_a_terminal_it_is_drawn_until_ctrl_c_which_leaves_the_sweep_alone(
    store: Store, submission: Submission
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from cli.entry import main; main()", "sweep", "watch", "tiny"]
    process = subprocess.Popen(
        [*command, "--store", str(store.root)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    seen = b""
    while seen.count(b"tiny: 3 trials") < 2:  # It was drawn a second time.
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    while b"left alone" not in seen:
        seen += os.read(ours, 4096)
    assert process.wait(60) == 130
    assert seen.rstrip().endswith(b"The sweep is left alone.")
    assert seen.count(b"\x1b[?25l") == seen.count(b"\x1b[?25h")  # The cursor is shown again.
    os.close(ours)
