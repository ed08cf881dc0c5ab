"""Whatever storage step of a commit, a seal or a repair fails, no answer changes."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest
from storage_faults import FAULTS, Disk, failing
from stored_stages import answers, key, live_files, sealed_names, write_stage, write_stages

from results.store import seal as seal_module
from results.store.layout import SEALED, live_name
from results.store.manifest import SealedStage
from results.store.seal import seal, unseal
from results.store.store import Store

FINISHED: dict[str, SealedStage] = {}
"""The stages of the store `before`, as far as they are finished."""


def seal_two_packs(store: Store) -> None:
    with patch.object(seal_module, "PACK_STAGES", 1):
        seal(store, FINISHED)
    assert len(store.manifest().packs) == 3


VERBS: dict[str, Callable[[Store], object]] = {
    "commit": lambda store: write_stage(store, 20, loss=2.0),
    "seal": lambda store: seal(store, FINISHED),
    "seal two packs": seal_two_packs,
    "unseal": lambda store: unseal(store, store.manifest().packs[0].name),
}
SHORT = [("commit", "kill"), ("seal", "power"), ("seal two packs", "ENOSPC")]
"""What is tested every time; the rest is slow."""
Answers = Mapping[str, pa.Table]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a pack that is not full, finished live stages, and one that is not finished."""
    store = Store.create(tmp_path_factory.mktemp("before"))
    seal(store, write_stages(store, range(2)))
    FINISHED.update(write_stages(store, range(4)))  # An old attempt of a sealed stage among them.
    write_stage(store, 20)
    return store


@pytest.mark.parametrize(
    ("verb", "fault"),
    [
        pytest.param(verb, fault, marks=[] if (verb, fault) in SHORT else pytest.mark.slow)
        for verb in VERBS
        for fault in FAULTS
    ],
)
def test_a_fault_at_any_step_changes_no_answer(
    before: Store, tmp_path: Path, verb: str, fault: str
) -> None:
    whole = copy(before, tmp_path / "whole")
    count = Disk()
    with failing(count):
        VERBS[verb](whole)
    allowed = [answers(before), answers(whole)]
    assert count.steps > 10

    for at in range(1, count.steps + 1):
        store = copy(before, tmp_path / f"{at}")
        disk = Disk(fault, at)
        with failing(disk):
            VERBS[verb](store)
        assert is_allowed(answers(store), allowed, by_row=verb == "commit"), f"step {at}"
        found = answers(store)
        seal(store, FINISHED)
        assert answers(store) == found, f"step {at}, then sealed"
        assert_no_leftovers(store)
        shutil.rmtree(store.root)


def copy(store: Store, folder: Path) -> Store:
    return Store.open(shutil.copytree(store.root, folder))


def is_allowed(found: Answers, allowed: list[Answers], by_row: bool) -> bool:
    """Whether the answers are those before or after; of a commit, which has two files, by table."""
    if by_row:
        return all(found[table] in [one[table] for one in allowed] for table in found)
    return dict(found) in [dict(one) for one in allowed]


def assert_no_leftovers(store: Store) -> None:
    """Of what is sealed there is nothing else, and nothing temporary is visible to readers."""
    assert sealed_names(store) == {pack.name for pack in store.manifest().packs}
    assert {path.name[:16] for path in live_files(store) if path.suffix == ".parquet"} == {key(20)}
    manifests = {path.stem for path in (store.root / SEALED).glob("MANIFEST-*")}
    assert len(manifests) == 1
    assert store.live_path("epochs", live_name(key(20), 1)).parent.is_dir()
