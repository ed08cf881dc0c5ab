"""Whatever is killed, a sweep ends as if nothing had happened."""

import random
from collections import Counter
from pathlib import Path

import pytest
from attacked import Undisturbed, assert_as_if_nothing_had_happened, submitted
from kills import Attack
from processes import Processes


def outlives(
    whole: Undisturbed, home: Path, chance: random.Random, most: int, at_once: int
) -> None:
    """Kill drivers and workers until it is enough, in as many sweeps as that takes."""
    processes = Processes(home / "home")
    kills, number = Counter[str](), 0
    try:
        while kills.total() < most:
            number += 1
            store = submitted(home / f"store{number}", whole.trials, at_once)
            left = most - kills.total()
            attack = Attack(store, whole.trials, processes, chance)
            of_this = attack.run(lambda of_this, left=left: of_this.total() >= left)
            kills += of_this
            print(f"sweep {number}: {dict(of_this)}", flush=True)
            processes.assert_none_left()
            assert_as_if_nothing_had_happened(store, whole)
    finally:
        processes.kill_all()
    print(f"{kills.total()} kills {dict(kills)} in {number} sweeps of {len(whole.trials)} trials")
    files = [path for path in (home / "home").iterdir() if path != processes.output]
    # A driver imports W&B (timm does) where it is installed: killed, it leaves folders of W&B's.
    assert [path for path in files if "wandb" not in path.name] == [], "temporary files"


def test_a_small_sweep_outlives_two_kills(
    tmp_path: Path, three: Undisturbed, chance: random.Random
) -> None:
    outlives(three, tmp_path, chance, most=2, at_once=1)


@pytest.mark.slow
def test_a_sweep_of_twenty_trials_outlives_any_number_of_kills(
    tmp_path: Path, twenty: Undisturbed, chance: random.Random, pytestconfig: pytest.Config
) -> None:
    outlives(twenty, tmp_path, chance, most=pytestconfig.getoption("--kills"), at_once=2)
