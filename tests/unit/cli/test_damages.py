"""No damage to any file of a store passes as an answer, and none ends in a traceback."""

import hashlib
import json
import random
from pathlib import Path

import pytest
from damages import attack
from recorded_trials import fail_stage, finish_trial, submit_trials
from tiny_sweeps import tiny_trials

from orchestrate.running.sealing import seal_finished
from results.store.store import Store

SEED = 14


@pytest.fixture(scope="module", params=["live", "sealed"])
def pristine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store.create(tmp_path_factory.mktemp("pristine") / "store")
    done, failed = tiny_trials(matrix={"seed": [0, 1]})
    submit_trials(store, "mine", [done, failed])
    finish_trial(store, done)
    fail_stage(store, failed.stages[0])
    if request.param == "sealed":
        seal_finished(store)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    for record in store.root.rglob("checkpoints/*.json"):
        value = {"epoch": 2, "sha256": sha256, "bitwise_key": "x"}
        record.write_text(json.dumps(value))
    return store.root


SLOW = (pytest.mark.slow, pytest.mark.timeout(36_000))


@pytest.mark.parametrize("number", [4, pytest.param(5000, marks=SLOW)])
def test_every_damage_is_named_or_harmless(pristine: Path, tmp_path: Path, number: int) -> None:
    report = attack(pristine, tmp_path / "store", number, random.Random(SEED))

    for (reader, end), count in sorted(report.counts.items()):
        print(f"{reader:30} {end:20} {count}")
    assert report.faults == []
