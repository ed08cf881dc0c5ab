"""`fairdarts sweep delete` says what goes, asks, and deletes it."""

import json
from pathlib import Path

import pytest
from in_process import exit_code
from recorded_trials import finish_stage, finish_trial, submit_trials
from tiny_sweeps import tiny_trials

from results.store.store import Store


def delete(capsys: pytest.CaptureFixture[str], store: Store, *options: str) -> tuple[int, str, str]:
    code = exit_code("sweep", "delete", *options, "--store", store.root)
    return code, *capsys.readouterr()


def test_a_sweep_is_deleted_after_saying_what_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.create(tmp_path)
    (mine,), (other,) = tiny_trials(), tiny_trials("retrain.epochs=3")
    submit_trials(store, "mine", [mine])
    submit_trials(store, "other", [other])
    finish_trial(store, mine)
    finish_stage(store, other.stages[-1])

    code, out, _ = delete(capsys, store, "mine")
    assert (code, store.sweep_names()) == (1, ["mine", "other"])
    assert out.startswith("mine: 1 trial of 1 submission: 1 stage with results goes")
    assert "2 stages stay, because other also needs them." in out
    assert out.endswith("Nothing was deleted; --yes deletes without asking.\n")

    code, out, _ = delete(capsys, store, "mine", "--format", "json")
    assert (code, json.loads(out)["deleted"]) == (1, False)

    code, out, _ = delete(capsys, store, "mine", "--yes", "--format", "json")
    said = json.loads(out)
    assert code == 0
    assert said.pop("num_bytes") > 1000
    assert said == {
        "sweep": "mine",
        "num_submissions": 1,
        "num_trials": 1,
        "num_stages": 1,
        "num_kept": 2,
        "deleted": True,
    }
    assert store.sweep_names() == ["other"]

    code, _, err = delete(capsys, store, "mine", "--yes")
    assert (code, err) == (
        2,
        f"error: {store.root} has no sweep 'mine' (there: other): name one of them.\n",
    )
    assert exit_code("sweep", "status", "mine", "--store", store.root) == 2

    code, out, _ = delete(capsys, store, "other", "--yes")
    assert code == 0
    assert out.endswith("Deleted other.\n")
    assert exit_code("store", "check", "--store", store.root) == 0
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_sweep_goes_from_one_store_to_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.create(tmp_path / "one")
    (trial,) = tiny_trials()
    submit_trials(store, "mine", [trial])
    finish_trial(store, trial)
    folder, other = tmp_path / "mine", tmp_path / "two"

    assert exit_code("sweep", "export", "mine", folder, "--store", store.root) == 0
    assert capsys.readouterr().out == f"mine: 9 files in {folder}.\n"
    assert exit_code("sweep", "export", "mine", folder, "--store", store.root) == 2
    assert capsys.readouterr().err == (
        f"error: {folder} exists already: give the name of a new folder.\n"
    )

    assert exit_code("sweep", "import", folder, "--store", other) == 0
    said = "mine: imported 1 submission and 3 stages; 0 stages were there already.\n"
    assert capsys.readouterr().out == said
    assert exit_code("sweep", "import", folder, "--store", other) == 0
    assert capsys.readouterr().out == f"mine: nothing new, all of it is in {other}.\n"
    assert exit_code("show", trial.trial_id, "--store", other) == 0
    assert exit_code("sweep", "why", trial.trial_id, "--store", other) == 0
    assert exit_code("arch", "show", trial.trial_id, "--store", other) == 0
    assert exit_code("store", "check", "--store", other) == 0
    capsys.readouterr()
    output = tmp_path / "network.onnx"
    assert exit_code("arch", "export", trial.trial_id, "-o", output, "--store", other) == 2
    assert "was not imported" in capsys.readouterr().err
