"""Trials of a group repeat the first one, in plans and in their files."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from tiny_sweeps import SETTINGS

from fairdarts.errors import ConfigError
from orchestrate.planning.identity import stage_key
from orchestrate.planning.plan import TrialSpec, plan
from orchestrate.planning.plan_file import plan_text, trials_of
from orchestrate.planning.sweep_file import parse_sweep

MATRIX = {"zero_one_weight": [1.0, 2.0], "seed": [7, 3], "retrain.seed": [0, 5]}
RANDOM = [{"models": 3, "num_skips": 2}, {"models": 2, "num_skips": 1, "seed": 4}]


def planned(
    matrix: dict[str, Any], random: list[dict[str, Any]], *assignments: str
) -> list[TrialSpec]:
    table = {"settings": SETTINGS, "matrix": matrix, "random": random}
    return plan(parse_sweep(table, "tiny", list(assignments)))


def test_a_trial_is_the_same_whether_it_repeats_another_or_is_planned_alone() -> None:
    trials = planned(MATRIX, RANDOM)
    alone = [
        trial
        for weight in MATRIX["zero_one_weight"]
        for seed in MATRIX["seed"]
        for of_retrain in MATRIX["retrain.seed"]
        for trial in planned(
            {"zero_one_weight": [weight], "seed": [seed], "retrain.seed": [of_retrain]}, []
        )
    ]
    assert trials[: len(alone)] == alone
    assert len(trials) == len(alone) + 2 * 5  # Random models are retrained with each retrain.seed.


def test_every_key_of_a_plan_is_the_key_of_its_settings() -> None:
    for trial in planned(MATRIX, RANDOM):
        parent = None
        for stage in trial.stages:
            assert stage.key == stage_key(stage.kind, stage.config, parent)
            assert stage.parent == parent
            parent = stage.key


def test_seeds_of_retrainings_stay_if_the_sweep_fixes_them() -> None:
    trials = planned({"seed": [1, 2, 3]}, [{"models": 2}], "retrain.seed=9")
    assert [trial.stages[-1].config["retrain"]["seed"] for trial in trials] == [9] * 5
    searches = [trial.stages[0].config["search"]["seed"] for trial in trials[:3]]
    assert searches == [1, 2, 3]


@pytest.mark.parametrize("seed", [-1, 2**31, 1.5, True, "x"])
def test_a_seed_that_cannot_be_used_is_refused_wherever_it_stands(seed: Any) -> None:
    for seeds in ([seed, 0], [0, 2, seed]):
        with pytest.raises(ConfigError, match="seed"):
            planned({"seed": seeds}, [])


def test_a_plan_has_the_settings_of_a_group_once_and_reads_as_it_was_written() -> None:
    trials = planned(MATRIX, RANDOM)
    text = plan_text({"host": "node7"}, trials)
    assert trials_of(json.loads(text)) == trials
    assert json.loads(text)["host"] == "node7"
    num_groups = len({trial.group_id for trial in trials})
    assert text.count('"init_channels"') == 2 * 2 + 2  # Two searches with retrainings, two samples.
    assert len(json.loads(text)["groups"]) == num_groups == 4


def test_trials_that_differ_in_what_no_key_has_keep_their_own_settings() -> None:
    recompute = ("search.recompute=false", "search.recompute=true")
    one, other = (planned({"seed": [0]}, [], of_search)[0] for of_search in recompute)
    assert one.group_id == other.group_id
    assert trials_of(json.loads(plan_text({}, [one, other]))) == [one, other]


def test_a_plan_of_an_older_version_has_all_settings_of_each_trial() -> None:
    trials = planned(MATRIX, RANDOM)
    assert trials_of(json.loads(json.dumps({"trials": [asdict(t) for t in trials]}))) == trials
