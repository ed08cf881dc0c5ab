"""Sealed rows give the answers that live ones gave, and damage to them is noticed."""

import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stored_stages import (
    TABLES,
    answers,
    key,
    live_files,
    sealed_names,
    write_stage,
    write_stages,
)

from results.errors import DamagedFile
from results.store import manifest
from results.store import seal as seal_module
from results.store.deletion import delete
from results.store.layout import SEALED, live_name
from results.store.seal import seal
from results.store.store import Store


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_module, "PACK_STAGES", 6)


def test_sealing_changes_no_answer_and_leaves_no_live_file_of_a_sealed_stage(store: Store) -> None:
    stages = write_stages(store, range(9))
    write_stage(store, 20)  # Not finished: it stays as it is.
    before = answers(store)

    assert seal(store, stages) == 9

    assert answers(store) == before
    assert {path.name[:16] for path in live_files(store)} == {key(20)}
    assert len(sealed_names(store)) == 1
    for number in (0, 1, 2, 20):
        for table in TABLES:
            wanted = before[table].filter(pa.compute.field("stage_key") == key(number))
            assert store.read(table, [key(number)]).to_pylist() == wanted.to_pylist()


def test_columns_are_read_alone(store: Store) -> None:
    stages = write_stages(store, range(3))
    seal(store, stages)

    losses = store.read("epochs", [key(0)], ["train_loss"])

    assert losses.column_names == ["train_loss"]
    assert losses["train_loss"].to_pylist() == [0.5 + epoch / 8 for epoch in range(25)]


@pytest.mark.usefixtures("small_packs")
def test_many_seals_leave_few_packs(store: Store) -> None:
    before = None
    for first in range(0, 20, 2):
        stages = write_stages(store, range(first, first + 2))
        before = answers(store)
        seal(store, stages)
        assert answers(store) == before

    assert len(sealed_names(store)) == 4  # three full ones of 6, and one of 2
    assert len(store.manifest().stages) == 20


def test_packs_that_are_written_side_by_side_are_all_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = write_stages(store, range(6))
    seal(store, sealed)
    stages = write_stages(store, range(6, 46))
    before = answers(store)
    monkeypatch.setattr(seal_module, "PACK_STAGES", 2)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # Threads take turns in the middle of every line.
    try:
        assert seal(store, sealed | stages) == 40
    finally:
        sys.setswitchinterval(interval)
    names = [pack.name for pack in store.manifest().packs]
    assert len({*names}) == len(names) > 20
    assert answers(store) == before


def test_what_was_deleted_meanwhile_is_not_sealed(store: Store, tmp_path: Path) -> None:
    stages = write_stages(store, range(3))
    shutil.copytree(store.root / "live", tmp_path / "kept")
    gone = {key(1): stages[key(1)]}
    delete(store, gone, {})
    shutil.copytree(tmp_path / "kept", store.root / "live", dirs_exist_ok=True)
    before = answers(store)
    assert key(1) not in before["epochs"]["stage_key"].to_pylist()
    assert seal(store, stages) == 2
    assert answers(store) == before


def test_a_second_seal_has_nothing_to_do(store: Store) -> None:
    stages = write_stages(store, range(4))
    seal(store, stages)
    files = {path: path.stat().st_mtime_ns for path in store.root.glob(f"{SEALED}/**/*")}

    assert seal(store, stages) == 0

    assert {path: path.stat().st_mtime_ns for path in store.root.glob(f"{SEALED}/**/*")} == files


def test_what_an_old_attempt_writes_after_the_seal_does_not_count(store: Store) -> None:
    stages = write_stages(store, range(3))
    before = answers(store)
    seal(store, stages)

    for number in range(3):
        write_stage(store, number, loss=99.0)

    assert answers(store) == before
    seal(store, write_stages(store, range(3, 5)))
    assert not live_files(store)


@pytest.mark.parametrize("harm", ["gone", "damaged", "empty"])
def test_a_stage_without_intact_rows_is_not_sealed(store: Store, harm: str) -> None:
    stages = write_stages(store, range(3))
    path = store.live_path("retrains", live_name(key(2), 1))
    if harm == "gone":
        path.unlink()
    elif harm == "damaged":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        store.write_rows("retrains", live_name(key(2), 1), [])

    assert seal(store, stages) == 2

    assert key(2) not in store.manifest().stages
    assert store.read("epochs", [key(2)]).num_rows == 25


def test_of_two_seals_at_the_same_time_one_counts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = write_stages(store, range(6))
    before = answers(store)
    commit = seal_module.commit

    def late_commit(root: Path, new: manifest.Manifest) -> bool:
        monkeypatch.setattr(seal_module, "commit", commit)
        others = {name: stage for name, stage in stages.items() if name < key(4)}
        assert seal(store, others) == 4
        return commit(root, new)

    monkeypatch.setattr(seal_module, "commit", late_commit)

    assert seal(store, stages) == 0

    assert answers(store) == before
    assert len(store.manifest().stages) == 4
    assert seal(store, stages) == 2
    assert answers(store) == before
    assert sealed_names(store) == {pack.name for pack in store.manifest().packs}


def test_a_manifest_whose_number_was_claimed_and_removed_does_not_come_back(store: Store) -> None:
    stages = write_stages(store, range(4))
    stale = store.manifest()
    for number in range(4):
        seal(store, {key(number): stages[key(number)]})
    before = answers(store)

    assert not manifest.commit(store.root, manifest.Manifest(stale.number + 1))

    assert answers(store) == before


def damages(content: bytes) -> Iterator[bytes]:
    """Damage all over a file, not only where rows are."""
    for place in range(0, len(content), max(len(content) // 40, 1)):
        yield content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]
    yield content[:-9]
    yield b""


@pytest.mark.parametrize("table", [*TABLES, "manifest"])
def test_no_damage_to_a_sealed_file_passes_as_an_answer(store: Store, table: str) -> None:
    stages = write_stages(store, range(6))
    before = answers(store)
    seal(store, stages)
    pattern = "MANIFEST-*.json" if table == "manifest" else f"{table}/*.parquet"
    (path,) = (store.root / SEALED).glob(pattern)
    content = path.read_bytes()

    for damaged in damages(content):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFile, match="store check"):
            answers(store)
        assert path.read_bytes() == damaged

    path.write_bytes(content)
    assert answers(store) == before


def test_a_missing_sealed_file_is_named(store: Store) -> None:
    seal(store, write_stages(store, range(3)))
    (path,) = (store.root / SEALED / "genotypes").iterdir()
    path.unlink()

    with pytest.raises(DamagedFile, match=rf"{path} is missing"):
        store.read("genotypes")
    assert store.read("epochs").num_rows == 50


def test_only_what_a_question_needs_is_compared(store: Store) -> None:
    """Damage to the alphas of a search does not stop those who ask for its losses."""
    numbers = random.Random(0)
    rows = [
        {"stage_key": key(0), "epoch": epoch, "train_loss": 0.5, "alphas": alphas, "gates": alphas}
        for epoch in range(400)
        for alphas in ([numbers.random() for _ in range(196)],)
    ]
    stages = {key(0): write_stage(store, 0)}
    store.write_rows("epochs", live_name(key(0), 1), rows)
    seal(store, stages)
    (path,) = (store.root / SEALED / "epochs").iterdir()
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(place) for place in range(group.num_columns)]
    (alphas,) = [chunk for chunk in chunks if chunk.path_in_schema == "alphas.list.element"]
    content = bytearray(path.read_bytes())
    content[alphas.data_page_offset + alphas.total_compressed_size // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(DamagedFile):
        store.read("epochs", columns=["alphas"])
    assert store.read("epochs", columns=["train_loss"]).num_rows == 400


def test_programs_that_know_no_sealed_files_refuse_the_store(store: Store) -> None:
    header = (store.root / "STORE.json").read_text()
    seal(store, {})
    assert (store.root / "STORE.json").read_text() == header

    seal(store, write_stages(store, range(2)))

    assert '"schema_major": 2' in (store.root / "STORE.json").read_text()
    assert Store.open(store.root) == store
