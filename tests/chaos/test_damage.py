"""Files of a store are damaged at random; a repair and another run make it whole again."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attacked import SWEEP, Undisturbed, assert_as_if_nothing_had_happened

from orchestrate.planning.submission import load_submission
from orchestrate.running.runner import run_here
from orchestrate.running.store_check import repair_store
from results.store.store import Store

MOST_FILES = 4
DAMAGES: list[Callable[[Path, random.Random], object]] = [
    lambda path, chance: path.unlink(),
    lambda path, chance: path.write_bytes(path.read_bytes()[: chance.randrange(9)]),
    lambda path, chance: path.write_bytes(path.read_bytes()[: -chance.randint(1, 9)]),
    lambda path, chance: path.write_bytes(chance.randbytes(path.stat().st_size)),
    lambda path, chance: path.write_text(chance.choice(["{}", "[]", "null", "\x00"])),
]


@pytest.mark.slow
def test_random_damage_is_repaired(
    tmp_path: Path, three: Undisturbed, chance: random.Random, pytestconfig: pytest.Config
) -> None:
    for number in range(pytestconfig.getoption("--kills")):
        root = tmp_path / f"store{number}"
        shutil.copytree(three.store.root, root)
        store = Store.open(root)
        files = sorted(path for path in root.rglob("*") if path.is_file() and damageable(path))
        hit = chance.sample(files, chance.randint(1, MOST_FILES))
        for path in hit:
            chance.choice(DAMAGES)(path, chance)
        print(f"{number}: {[str(path.relative_to(root)) for path in hit]}", flush=True)
        repair_store(store)
        run_here(store, load_submission(store, SWEEP))
        assert_as_if_nothing_had_happened(store, three, attempts_are_known=False)


def damageable(path: Path) -> bool:
    """Whether the store has what is in the file elsewhere, or can compute it again."""
    return path.name != "STORE.json"
