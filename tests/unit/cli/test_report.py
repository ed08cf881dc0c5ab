"""What a person reads at the end of a run: one table, what failed, how to go on."""

from pathlib import Path

import pytest
import typer
from tiny_sweeps import key_of, tiny_trials

from cli.run_report import report
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import submit
from orchestrate.running.status import sweep_status
from orchestrate.running.stopping import RunEnd
from orchestrate.stages.lease import Attempt
from results.store.store import Store
from results.text import counted


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "my store")


def reported(store: Store, capsys: pytest.CaptureFixture[str], num_failures: int) -> str:
    (trial,) = trials = tiny_trials()
    submission = submit(store, "tiny", trials, Resources())
    for _ in range(num_failures):
        attempt = Attempt.take(store.stage_dir("search", key_of(trial, "search")))
        attempt.fail("exception", ValueError("no luck"))
    with pytest.raises(typer.Exit) as exit_:
        report(store, submission, RunEnd(sweep_status(store, trials)), "the same command")
    assert exit_.value.exit_code == 1
    return capsys.readouterr().out


def test_what_is_not_finished_is_counted(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    out = reported(store, capsys, num_failures=0)
    assert "Not finished: 1 trial; continue with `the same command`." in out


def test_a_failure_is_counted_and_the_next_command_can_be_pasted(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    out = reported(store, capsys, num_failures=1)
    assert "no luck" not in out  # The live view and `sweep status` say it, with the log.
    assert f"Failed: 1 trial (logs: `fairdarts sweep status tiny --store '{store.root}'`)" in out
    assert f"up to 3 attempts in all: `fairdarts sweep retry tiny --store '{store.root}'`" in out
    assert reported(store, capsys, num_failures=2).rstrip().endswith("--max-attempts 4`.")


def test_one_is_singular() -> None:
    assert [counted(n, "trial") for n in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]
