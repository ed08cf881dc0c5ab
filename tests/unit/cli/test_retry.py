"""`fairdarts sweep retry` says what it does with each failure before it runs anything."""

import json
from pathlib import Path

import pytest
from in_process import exit_code
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.errors import Diverged
from orchestrate.planning.submission import submit
from orchestrate.stages.lease import Attempt
from results.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The only trial has diverged."""
    store = Store.create(tmp_path / "store")
    (trial,) = trials = tiny_trials()
    submit(store, "tiny", trials, tiny_sweep().resources)
    search = Attempt.take(store.stage_dir("search", key_of(trial, "search")))
    search.fail("diverged", Diverged("the training loss is nan in epoch 3"))
    return store


def test_what_diverged_is_not_tried_again_and_the_command_says_so(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("sweep", "retry", "tiny", "--store", store.root) == 1
    out = capsys.readouterr().out
    assert "1 x search (diverged): not tried again: the same settings diverge again" in out
    assert exit_code("sweep", "retry", "tiny", "--store", store.root, "--format", "json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["outcome"] == "failed"
    assert "not tried again" in captured.err


@pytest.mark.parametrize("wrong", [["--kind", "bad luck"], ["--max-failures", "0"]])
def test_a_kind_or_a_number_that_means_nothing_is_refused(
    store: Store, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    assert exit_code("sweep", "retry", "tiny", "--store", store.root, *wrong) == 2
    assert wrong[0] in capsys.readouterr().err
