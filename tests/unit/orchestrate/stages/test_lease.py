import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from repository import SUPPORT
from tiny_sweeps import wait_until

from orchestrate.errors import Held, Superseded, first_line
from orchestrate.stages.lease import Attempt
from orchestrate.stages.state import stage_state
from orchestrate.statuses import Outcome
from results.store.attempt_files import failure_of
from results.store.files import read_json
from results.store.holder import STALE_S

CONTENDER = SUPPORT / "contender.py"


class Contender:
    """A real process that takes stages, see `contender.py`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CONTENDER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.answer() == "up"

    def tell(self, command: str, stage_dir: Path) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command} {stage_dir}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def contenders(count: int) -> Iterator[list[Contender]]:
    started: list[Contender] = []
    try:
        for _ in range(count):
            started.append(Contender())
        yield started
    finally:
        for contender in started:
            contender.kill()


def edit_lease(stage_dir: Path, number: int, **changes: Any) -> Path:
    """Change entries of a lease; returns the folder of its attempt."""
    folder = stage_dir / "attempts" / f"a{number:04d}"
    lease = folder / "LEASE.json"
    lease.write_text(json.dumps(read_json(lease) | changes))
    return folder


def test_a_stage_that_nobody_took_is_pending(tmp_path: Path) -> None:
    state = stage_state(tmp_path / "stage")
    assert (state.status, state.attempt, state.num_failures, state.log) == ("pending", 0, 0, None)


def test_a_stage_is_running_while_its_attempt_lives_then_done(tmp_path: Path) -> None:
    attempt = Attempt.take(tmp_path / "stage")
    state = stage_state(tmp_path / "stage")
    assert (state.status, state.attempt) == ("running", 1)
    assert state.holder == f"{socket.gethostname()} pid {os.getpid()}"
    attempt.log("hello")
    attempt.finish("ok")
    state = stage_state(tmp_path / "stage")
    assert (state.status, state.attempt, state.outcome, state.holder) == ("done", 1, "ok", "")
    assert state.log is not None and state.log.read_text().endswith(" hello\n")


def test_an_invalid_outcome_is_done_and_keeps_its_reason(tmp_path: Path) -> None:
    Attempt.take(tmp_path).finish("invalid", "the normal cell has no live node")
    state = stage_state(tmp_path)
    assert (state.status, state.outcome) == ("done", "invalid")
    assert state.reason == "the normal cell has no live node"


def test_a_failure_is_kept_with_its_traceback_and_may_be_tried_again(tmp_path: Path) -> None:
    for number in (1, 2):
        attempt = Attempt.take(tmp_path)
        assert attempt.number == number
        try:
            raise ValueError(f"no {number}\nand more")
        except ValueError as error:
            attempt.fail("exception", error)
        state = stage_state(tmp_path)
        assert (state.status, state.num_failures) == ("failed", number)
        assert state.reason == f"ValueError: no {number}"
        assert state.log is not None
        log = state.log.read_text()
        assert "Traceback" in log and "test_lease.py" in log and "and more" in log
    Attempt.take(tmp_path).finish("ok")
    assert stage_state(tmp_path).status == "done"


def test_a_released_stage_is_lost_at_once_and_its_failures_still_count(tmp_path: Path) -> None:
    Attempt.take(tmp_path).fail("exception", ValueError())
    Attempt.take(tmp_path).release()
    state = stage_state(tmp_path)
    assert (state.status, state.attempt, state.num_failures) == ("lost", 2, 1)
    assert Attempt.take(tmp_path).number == 3


def test_a_done_stage_is_not_taken_again(tmp_path: Path) -> None:
    Attempt.take(tmp_path).finish("ok")
    with pytest.raises(Held, match="done"):
        Attempt.take(tmp_path)


def test_an_old_attempt_is_superseded_at_its_next_commit(tmp_path: Path) -> None:
    old = Attempt.take(tmp_path)
    old.check()
    edit_lease(tmp_path, 1, started="0")  # As if its process were gone.
    new = Attempt.take(tmp_path)
    with pytest.raises(Superseded, match="attempt 1 was superseded"):
        old.check()
    with pytest.raises(Superseded):
        old.finish("ok")
    assert stage_state(tmp_path).status == "running"
    new.finish("ok")


def test_a_live_holder_is_named_and_keeps_others_out_until_it_is_killed(tmp_path: Path) -> None:
    with contenders(1) as (holder,):
        holder.tell("hold", tmp_path)
        assert holder.answer() == "held 1"
        name = f"{socket.gethostname()} pid {holder.process.pid}"
        with pytest.raises(Held, match=f"^computed by {name}$"):
            Attempt.take(tmp_path)
        assert stage_state(tmp_path).holder == name
        assert not (tmp_path / "attempts" / "a0002").exists()

        holder.process.kill()  # Not waited for: the zombie must not count as alive.
        wait_until(lambda: stage_state(tmp_path).status == "lost", "the holder to be gone")
        assert stage_state(tmp_path).holder == ""
        assert Attempt.take(tmp_path).number == 2


def test_a_stopped_holder_is_silent_then_lost_and_cannot_finish_when_it_goes_on(
    tmp_path: Path,
) -> None:
    with contenders(1) as (holder,):
        holder.tell("beat", Path("0.1"))
        holder.tell("hold", tmp_path)
        assert holder.answer() == "held 1"
        holder.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: stage_state(tmp_path).silent_s > 0.2, "the heartbeat to miss a beat")
        wait_until(lambda: stage_state(tmp_path).status == "lost", "the heartbeat to be stale")
        state = stage_state(tmp_path)
        assert f"no sign of life of {socket.gethostname()} pid {holder.process.pid}" in state.reason
        attempt = Attempt.take(tmp_path)
        assert attempt.number == 2
        assert failure_of(attempt.stage.attempt(1)).kind == "stalled"  # type: ignore[union-attr]
        assert (stage_state(tmp_path).status, stage_state(tmp_path).num_failures) == ("running", 0)

        holder.process.send_signal(signal.SIGCONT)
        holder.tell("finish", Path())
        assert holder.answer() == "superseded"
        assert stage_state(tmp_path).status == "running"
        attempt.finish(Outcome.OK)


def test_a_process_that_was_stopped_before_its_last_write_does_not_replace_a_newer_mark(
    tmp_path: Path,
) -> None:
    old = Attempt.take(tmp_path)
    edit_lease(tmp_path, 1, started="0")  # As if its process were gone.
    new = Attempt.take(tmp_path)
    new.finish(Outcome.OK)
    new.paths.folder.rename(tmp_path / "hidden")  # So that its check passes: it was before.
    with pytest.raises(Superseded):
        old.finish(Outcome.OK)
    (tmp_path / "hidden").rename(new.paths.folder)
    assert stage_state(tmp_path).status == "done"
    assert json.loads((tmp_path / "DONE.json").read_text())["attempt"] == 2


def test_of_many_processes_that_race_for_a_stage_exactly_one_gets_it(tmp_path: Path) -> None:
    with contenders(6) as racers:
        for round_number in range(20):
            stage_dir = tmp_path / str(round_number)
            lost_before = round_number % 3
            for _ in range(lost_before):
                Attempt.take(stage_dir).release()
            for racer in racers:
                racer.tell("race", stage_dir)
            assert [racer.answer() for racer in racers] == ["ready"] * 6
            for racer in racers:
                racer.tell("go", stage_dir)
            answers = sorted(racer.answer() for racer in racers)
            assert answers == [f"held {lost_before + 1}"] + ["refused"] * 5
            names = sorted(path.name for path in (stage_dir / "attempts").iterdir())
            assert names == [f"a{n + 1:04d}" for n in range(lost_before + 1)]


def test_a_holder_on_another_host_lives_as_long_as_its_heartbeat_is_fresh(tmp_path: Path) -> None:
    Attempt.take(tmp_path)
    folder = edit_lease(tmp_path, 1, host="node7", pid=4242)
    state = stage_state(tmp_path)
    assert (state.status, state.holder) == ("running", "node7 pid 4242")
    with pytest.raises(Held, match="node7 pid 4242"):
        Attempt.take(tmp_path)

    almost = time.time() - STALE_S + 20
    os.utime(folder / "heartbeat", (almost, almost))
    assert stage_state(tmp_path).status == "running"
    stale = time.time() - STALE_S - 1
    os.utime(folder / "heartbeat", (stale, stale))
    assert stage_state(tmp_path).status == "lost"
    assert Attempt.take(tmp_path).number == 2


def test_looking_at_another_hosts_holder_leaves_no_file(tmp_path: Path) -> None:
    Attempt.take(tmp_path)
    folder = edit_lease(tmp_path, 1, host="node7")
    before = sorted(folder.iterdir())
    stage_state(tmp_path)
    assert sorted(folder.iterdir()) == before


def test_a_process_that_has_the_pid_of_a_dead_holder_is_not_taken_for_it(tmp_path: Path) -> None:
    Attempt.take(tmp_path)
    edit_lease(tmp_path, 1, started="0")
    assert stage_state(tmp_path).status == "lost"


@pytest.mark.parametrize("entry", ["boot", "pid_namespace"])
def test_a_holder_whose_pid_means_nothing_here_is_judged_by_its_heartbeat(
    entry: str, tmp_path: Path
) -> None:
    Attempt.take(tmp_path)
    folder = edit_lease(tmp_path, 1, **{entry: "another"})
    assert stage_state(tmp_path).status == "running"
    os.utime(folder / "heartbeat", (1, 1))
    assert stage_state(tmp_path).status == "lost"


def test_what_a_process_that_died_while_taking_leaves_is_no_attempt(tmp_path: Path) -> None:
    (tmp_path / "attempts" / ".claim-left").mkdir(parents=True)
    assert stage_state(tmp_path).status == "pending"
    assert Attempt.take(tmp_path).number == 1


def test_an_attempts_folder_is_as_readable_as_any_other_new_folder(tmp_path: Path) -> None:
    folder = Attempt.take(tmp_path / "stage").paths.folder
    usual = tmp_path / "usual"
    usual.mkdir()
    assert folder.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n\n", ""),
        ("\n one\ntwo", "one"),
        ("a\x1b[31mb", "a [31mb"),
        ("x" * 400, "x" * 300),
    ],
)
def test_the_first_line_of_an_error_is_short_and_printable(text: str, line: str) -> None:
    assert first_line(ValueError(text)) == line
