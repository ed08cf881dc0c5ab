"""The undisturbed run that every attacked one is compared with, and the seed of all attacks."""

import random
import time
from pathlib import Path

import pytest
from attacked import Undisturbed, submission, submitted, three_trials, twenty_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.running.runner import run_here


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    given: int | None = request.config.getoption("--seed")
    return time.time_ns() if given is None else given


@pytest.fixture
def chance(seed: int, request: pytest.FixtureRequest) -> random.Random:
    print(f"--seed {seed}")
    return random.Random(f"{seed} {request.node.name}")


def undisturbed(trials: list[TrialSpec], root: Path) -> Undisturbed:
    store = submitted(root, trials)
    run_here(store, submission(store, trials))
    return Undisturbed(trials, store)


@pytest.fixture(scope="session")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Twenty trials."""
    return undisturbed(twenty_trials(), tmp_path_factory.mktemp("twenty") / "store")


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Three trials."""
    return undisturbed(three_trials(), tmp_path_factory.mktemp("three") / "store")
