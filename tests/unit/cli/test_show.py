"""`fairdarts show` says what an id is, and shortened ids are taken wherever ids are."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import exit_code
from one_trial import run_trial
from tiny_sweeps import key_of, tiny_trials

from cli.reference import commands
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import submit
from orchestrate.stages.runtime import Runtime
from results.schema import TRIALS
from results.store.store import Store

Show = Callable[..., tuple[int, str]]
DONE, INVALID, PENDING = range(3)
HELPS = ("show", "sweep status", "sweep plan")
"""Commands whose help names the keys of JSON documents."""


@pytest.fixture(scope="module")
def trials() -> list[TrialSpec]:
    return tiny_trials(
        matrix={"derive.op_threshold": [0.3, 0.999], "seed": [0]}, random=[{"models": 1}]
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, trials: list[TrialSpec]) -> Path:
    """A finished trial, one whose genotype builds no network, and one that was not started."""
    store = Store.create(tmp_path_factory.mktemp("shown"))
    submit(store, "tiny", trials, Resources())
    for trial in trials[:PENDING]:
        run_trial(trial, store, Runtime("cpu", num_threads=1))
    return store.root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], store: Path) -> Show:
    def run(*arguments: str) -> tuple[int, str]:
        code = exit_code(*arguments, "--store", store)
        out, err = capsys.readouterr()
        return code, out or err

    return run


def test_a_finished_trial_is_shown_with_all_that_belongs_to_it(
    run: Show, trials: list[TrialSpec], store: Path
) -> None:
    trial = trials[DONE]
    code, out = run("show", trial.trial_id[:6].upper())
    assert code == 0
    for text in (
        f"{trial.trial_id}  fairdarts op_threshold=0.3 seed=0",
        "tiny",
        trial.group_id,
        f"{key_of(trial, 'search')}  done     search",
        "2 of 2 epochs",
        "at the last epoch",
        "search.init_channels = 2",
        str(store / "stages" / "retrain"),
        f"fairdarts arch export {trial.trial_id} -o FILE.onnx",
    ):
        assert text in out
    assert "search.momentum" not in out  # a default


def test_an_invalid_trial_says_what_to_do(run: Show, trials: list[TrialSpec]) -> None:
    trial = trials[INVALID]
    code, out = run("show", trial.trial_id)
    assert code == 0
    assert "invalid: the normal cell has no live node" in out
    assert f"fairdarts derive {trial.trial_id} --threshold 0.5" in out


def test_a_trial_that_was_not_started_is_shown_too(run: Show, trials: list[TrialSpec]) -> None:
    code, out = run("show", trials[PENDING].trial_id)
    assert code == 0
    assert "state         pending" in out


@pytest.mark.parametrize("kind", ["search", "derive", "retrain"])
def test_a_stage_is_shown_with_the_trials_that_use_it(
    run: Show, trials: list[TrialSpec], kind: str
) -> None:
    code, out = run("show", key_of(trials[DONE], kind))
    assert code == 0
    assert kind in out
    users = [
        trial
        for trial in trials
        if key_of(trials[DONE], kind) in [stage.key for stage in trial.stages]
    ]
    for trial in users:
        assert trial.label in out


def test_a_group_and_a_sweep_list_their_trials(run: Show, trials: list[TrialSpec]) -> None:
    for name in (trials[DONE].group_id, "tiny"):
        code, out = run("show", name)
        assert code == 0
        assert f"{trials[DONE].trial_id}  done " in out
    assert "3 trials: 1 done, 1 invalid, 1 pending" in out


def test_every_command_that_show_names_takes_the_id(run: Show, trials: list[TrialSpec]) -> None:
    short = trials[DONE].trial_id[:8]
    for command in (["derive", short], ["arch", "show", short], ["arch", "count", short.upper()]):
        code, out = run(*command)
        assert code == 0, out


def test_an_unknown_id_is_refused_where_ids_are_taken(run: Show) -> None:
    for command in (["show"], ["derive"], ["arch", "show"], ["retrain"]):
        code, out = run(*command, "0123456789abcdef")
        assert code == 2
        assert "has no id that begins with 0123456789abcdef" in out
        assert "fairdarts show SWEEP" in out


@pytest.fixture
def described(run: Show) -> Callable[[str], Any]:
    """What `show` prints as JSON; every key is in its help, or in that of `sweep status`."""
    helps = "".join(commands()[f"fairdarts {name}"].help for name in HELPS)
    words = set(re.findall(r"\w+", helps)) | {column.name for column in TRIALS.columns}

    def described(name: str) -> Any:
        code, out = run("show", name, "--format", "json")
        assert code == 0, out
        document = json.loads(out)
        assert document.keys() <= words
        return document

    return described


def test_a_trial_as_json_has_its_results_and_its_stages(
    described: Callable[[str], Any], trials: list[TrialSpec], store: Path
) -> None:
    trial = trials[DONE]
    shown = described(trial.trial_id)
    assert (shown["what"], shown["trial_id"], shown["status"]) == ("trial", trial.trial_id, "done")
    assert shown["sweeps"] == ["tiny"]
    assert shown["genotype"].keys() == {"normal", "reduce"}
    assert 0 <= shown["test_top1_pct"] <= 100
    assert shown["params"] > 0 < shown["multadds"]
    search, derive, retrain = shown["stages"]
    assert search["stage_key"] == derive["parent"] == key_of(trial, "search")
    assert search["settings"]["search.init_channels"] == 2
    assert retrain["test_top1_pct"] == shown["test_top1_pct"]
    assert all(Path(stage["folder"]).is_dir() for stage in shown["stages"])


def test_what_has_no_result_yet_is_null_as_json(
    described: Callable[[str], Any], trials: list[TrialSpec]
) -> None:
    invalid, pending = described(trials[INVALID].trial_id), described(trials[PENDING].trial_id)
    assert (invalid["status"], pending["status"]) == ("invalid", "pending")
    assert invalid["params"] is pending["genotype"] is None
    assert "no live node" in invalid["reason"]


def test_a_stage_a_group_and_a_sweep_are_documents_too(
    described: Callable[[str], Any], trials: list[TrialSpec]
) -> None:
    trial = trials[DONE]
    stage = described(key_of(trial, "search"))
    assert (stage["what"], stage["kind"], stage["status"]) == ("stage", "search", "done")
    assert trial.trial_id in stage["trials"]
    for name, what, number in ((trial.group_id, "group", 1), ("tiny", "sweep", 3)):
        document = described(name)
        assert document["what"] == what
        assert len(document["trials"]) == number
