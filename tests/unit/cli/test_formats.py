"""`--format json` prints one JSON document with stable keys, and nothing else."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import exit_code
from small_sweep import write_example
from tiny_sweeps import key_of, tiny_trials

from cli.reference import commands
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import submit
from orchestrate.stages.lease import Attempt
from results.schema import TRIALS
from results.store.layout import live_name
from results.store.store import Store

Run = Callable[..., Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """What a command prints as JSON; it exits with 0."""

    def run(*arguments: object) -> Any:
        code = exit_code(*arguments, "--format", "json")
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out)

    return run


def test_the_help_names_every_key(run: Run, tmp_path: Path) -> None:
    plan = ("sweep", "plan", "quickstart", "--store", tmp_path / "none")
    documents = {
        "arch list": run("arch", "list"),
        "arch count": [run("arch", "count", "FairDARTS_a")],
        "sample": run("sample"),
        "sweep list": run("sweep", "list"),
        "sweep plan": [run(*plan), *run(*plan)["trials"]],
    }
    columns = {column.name for column in TRIALS.columns}
    for name, rows in documents.items():
        words = set(re.findall(r"\w+", commands()[f"fairdarts {name}"].help))
        assert {key for row in rows for key in row} <= words | columns, name


def test_arch_list_has_counts_printed_figures_and_genotypes(run: Run) -> None:
    first, *others = run("arch", "list")
    assert first["name"] == "FairDARTS_a"
    assert (first["params"], first["multadds"]) == (2_360_782, 371_455_200)
    assert first["printed_params_m"] == 2.83
    assert first["genotype"].keys() == {"normal", "reduce"}
    assert others[-1]["printed_params_m"] is None
    assert {tuple(entry) for entry in others} == {tuple(first)}


def test_arch_count_has_plain_numbers(run: Run) -> None:
    small = ("--init-channels", 4, "--num-cells", 3, "--image-size", 16)
    count = run("arch", "count", "FairDARTS_a", *small)
    assert list(count) == ["name", "params", "params_with_auxiliary", "multadds"]
    assert 0 < count["params"] == count["params_with_auxiliary"]


def test_sweep_list_has_names_and_costs(run: Run) -> None:
    sweeps = run("sweep", "list")
    assert "quickstart" in [sweep["name"] for sweep in sweeps]
    assert all(sweep["cost"] and sweep["description"] for sweep in sweeps)


def test_a_plan_has_the_columns_of_the_trials_table(run: Run, tmp_path: Path) -> None:
    plan = run("sweep", "plan", "quickstart", "--store", tmp_path / "none")

    assert plan["sweep"] == "quickstart"
    columns = {column.name for column in TRIALS.columns}
    for trial in plan["trials"]:
        assert trial.keys() - columns == {"status", "stage", "holder"}
    searched, sampled = plan["trials"][0], plan["trials"][-1]
    assert (searched["status"], searched["stage"]) == ("pending", "search")
    assert (sampled["method"], sampled["stage"]) == ("random", "sample")
    assert sampled["search_key"] is None
    assert plan["stages_on_this_machine"]["retrain"]["cpus"] == 1


def test_a_status_has_progress_and_failures(run: Run, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    running, failed, pending = trials = tiny_trials(matrix={"seed": [0, 1, 2]})
    submit(store, "tiny", trials, Resources())
    Attempt.take(store.stage_dir("search", key_of(running, "search")))
    key = key_of(running, "search")
    row = {"stage_key": key, "kind": "search", "attempt": 1, "epoch": 0, "wall_s": 10.0}
    store.write_rows("epochs", live_name(key, 1), [row | {"arch_top1_pct": 50.0}])
    attempt = Attempt.take(store.stage_dir("search", key_of(failed, "search")))
    attempt.fail("exception", ValueError("no luck"))

    status = run("sweep", "status", "tiny", "--store", store.root)

    assert (status["sweep"], status["submission"]) == ("tiny", 1)
    by_id = {trial["trial_id"]: trial for trial in status["trials"]}
    assert by_id[running.trial_id]["status"] == "running"
    assert by_id[running.trial_id]["holder"]
    assert by_id[running.trial_id]["epochs_done"] == 1
    assert by_id[running.trial_id]["left_in_stage_s"] == 10.0
    assert by_id[failed.trial_id]["reason"] == "ValueError: no luck"
    assert by_id[failed.trial_id]["num_failures"] == 1
    assert Path(by_id[failed.trial_id]["log"]).exists()
    assert by_id[pending.trial_id]["status"] == "pending"
    assert by_id[pending.trial_id]["log"] is None


def test_samples_are_a_list(run: Run) -> None:
    samples = run("sample", "--count", 2)
    assert [sample["index"] for sample in samples] == [0, 1]
    assert samples[0]["params"] < samples[0]["params_with_auxiliary"]


def test_a_results_table_is_a_list_of_groups(run: Run, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    assert run("results", "table", "--store", store.root) == []
    write_example(store)
    searched, _sampled = run("results", "table", "--store", store.root)
    assert (searched["n"], searched["planned"]) == (3, 5)
    assert searched["top1_pct_mean"] == pytest.approx(97.3)
    assert searched["val_top1_pct_mean"] is None
