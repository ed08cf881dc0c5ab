"""A manifest that is lost is made again from the sealed files."""

import shutil
from pathlib import Path

import pytest
from stored_stages import answers, key, sealed_names, write_stages

from results.errors import DamagedFile
from results.store import seal as seal_module
from results.store.layout import LOST_AND_FOUND, SEALED
from results.store.rebuild import rebuild
from results.store.seal import seal
from results.store.store import Store


@pytest.fixture
def sealed(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two packs of six stages each, and three live stages."""
    monkeypatch.setattr(seal_module, "PACK_STAGES", 6)
    seal(store, write_stages(store, range(12)))
    write_stages(store, range(12, 15))
    return store


def lose_manifest(store: Store) -> None:
    for path in (store.root / SEALED).glob("MANIFEST-*"):
        path.unlink()
    with pytest.raises(DamagedFile, match="MANIFEST is gone"):
        store.manifest()


def test_the_stages_of_a_damaged_pack_are_lost_and_all_others_are_there(sealed: Store) -> None:
    before, pack = answers(sealed), sealed.manifest().packs[0]
    lose_manifest(sealed)
    path = sealed.root / SEALED / "epochs" / f"{pack.name}.parquet"
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)

    rebuild(sealed)

    for table, rows in answers(sealed).items():
        kept = [row for row in before[table].to_pylist() if row["stage_key"] not in pack.stages]
        assert rows.to_pylist() == kept
    moved = (sealed.root / LOST_AND_FOUND / SEALED).glob("*/*")
    assert {one.stem for one in moved} == {pack.name}


@pytest.mark.parametrize("left", [("epochs",), ("attempts", "epochs", "genotypes", "retrains")])
def test_what_a_killed_seal_has_left_changes_nothing(
    sealed: Store, tmp_path: Path, left: tuple[str, ...]
) -> None:
    before, stages = answers(sealed), sealed.manifest().stages
    later = Store.open(shutil.copytree(sealed.root, tmp_path / "later"))
    seal(later, write_stages(later, range(12, 15)))
    (new,) = sealed_names(later) - sealed_names(sealed)
    for table in left:
        name = f"{SEALED}/{table}/{new}.parquet"
        shutil.copy(later.root / name, sealed.root / name)
    lose_manifest(sealed)

    rebuild(sealed)

    assert answers(sealed) == before
    assert stages.keys() <= sealed.manifest().stages.keys()


def test_before_the_first_manifest_packs_are_no_sign_of_loss(store: Store) -> None:
    """A first seal that was killed just before it claimed its manifest."""
    stages = write_stages(store, range(3))
    before = answers(store)
    live = {path: path.read_bytes() for path in store.root.glob("live/*/*.parquet")}
    seal(store, stages)
    for path, content in live.items():
        path.write_bytes(content)
    for path in (store.root / SEALED).glob("MANIFEST-*"):
        path.unlink()

    assert answers(store) == before
    assert seal(store, stages) == 3
    assert answers(store) == before
    assert key(0) in store.manifest().stages
