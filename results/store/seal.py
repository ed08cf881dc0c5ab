"""Moves the rows of finished stages from many small live files to a few large sealed ones.

1. New packs are written under names that no manifest has yet.
2. The manifest that names them is claimed. At this moment the stages are sealed.
3. What it replaces is removed: live files, older packs, older manifests.

A process that is killed before step 2 leaves garbage; one that is killed after it leaves rows that
are there twice and count once. The next seal removes both. A pack has at most `PACK_STAGES` stages.
A seal also takes in packs that are not full, so there are few of them.
"""

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from results.errors import DamagedFile, StoreError
from results.schema import SCHEMA, VECTOR
from results.store import layout
from results.store.attempts import gone_attempts, with_ends
from results.store.blocks import block_sums
from results.store.files import write_whole
from results.store.manifest import Manifest, Pack, SealedFile, SealedStage, commit
from results.store.sealed import sealed_path, sealed_rows
from results.store.store import Store
from results.store.sweeping import sweep

if TYPE_CHECKING:
    import pyarrow as pa

    from results.store.sealed import SealedRows

PACK_STAGES = 1000
WRITERS = 2
EPOCHS_TOGETHER = 10
GROUP_ROWS = {"epochs": 2048}
"""Rows of a row group, where they are large. Epochs are sorted by tens of epochs and then by
stage, so that one search is in a few row groups, and so is one epoch of all searches."""
Parts = dict[str, "pa.Table"]
"""Rows of some stages by table."""


def seal(store: Store, finished: Mapping[str, SealedStage]) -> int:
    """Seal the rows of stages that are done.

    A stage whose rows are missing or damaged is left as it is.

    Args:
        store: Where they are.
        finished: Stages that no process computes or will compute again, by key.
    Returns:
        How many stages were sealed; 0 if another process sealed at the same time.
    Raises:
        DamagedFile: If a sealed file is damaged.
        OSError: If the store cannot be written; no answer has changed then.
    """
    before = store.manifest()
    new = {
        key: stage
        for key, stage in finished.items()
        # It may have been deleted since the caller looked, and its files be there still.
        if key not in before.stages and stage.attempt > before.deleted.attempt(key)
    }
    full = [pack for pack in before.packs if len(pack.stages) >= PACK_STAGES]
    others = [pack for pack in before.packs if len(pack.stages) < PACK_STAGES]
    is_tidy = all(pack.num_written == len(pack.stages) for pack in others) and len(others) < 2
    if not new and is_tidy:
        sweep(store, before)
        return 0
    number = before.number + 1
    stages = {key: stage for pack in others for key, stage in pack.stages.items()} | new
    keys = list(stages)
    attempts = store.live_attempts()
    written: list[Pack] = []

    def write(start: int) -> Pack:
        some = {key: stages[key] for key in keys[start : start + PACK_STAGES]}
        pack = _write_pack(store, before, number, some, attempts)
        written.append(pack)  # Not taken from there again: another thread may add its own.
        return pack

    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            packs = list(pool.map(write, range(0, len(keys), PACK_STAGES)))
        store.raise_major()
    except BaseException as error:
        for pack in written:
            remove_pack(store, pack)
        # Another process has sealed meanwhile, and has removed what this one reads or writes.
        if isinstance(error, FileNotFoundError) and store.manifest().number >= number:
            return 0
        raise
    after = replace(before, number=number, packs=(*full, *packs))
    assert before.stages.keys() <= after.stages.keys()  # What it replaces is removed below.
    if not commit(store.root, after):
        return 0
    sweep(store, after)
    return len(after.stages.keys() & new.keys())


def unseal(store: Store, name: str) -> None:
    """Write what is intact of a pack to live files, and seal it no more.

    A stage of which a table is damaged has no rows in that table then.

    Args:
        store: Where the pack is.
        name: Of the pack.
    Raises:
        StoreError: If another process has changed what is sealed at the same time.
        OSError: If the store cannot be written; the pack still counts then.
    """
    before = store.manifest()
    of_name = Manifest(before.number, tuple(pack for pack in before.packs if pack.name == name))
    if not of_name.packs:
        return  # Of two damaged files of a pack, the first one has led here already.
    for pack in of_name.packs:
        for table in pack.files:
            with suppress(DamagedFile, FileNotFoundError):
                _write_live(store, table, pack, sealed_rows(store.root, of_name, table, None))
    others = tuple(pack for pack in before.packs if pack.name != name)
    after = replace(before, number=before.number + 1, packs=others)
    if not commit(store.root, after):
        raise StoreError(f"another process sealed results in {store.root}: repair it again.")
    sweep(store, after)


def _write_live(store: Store, table: str, pack: Pack, sealed: "SealedRows | None") -> None:
    import pyarrow.compute as pc

    rows = sealed.read(None) if sealed is not None else SCHEMA[table].arrow.empty_table()
    for key, stage in pack.stages.items():
        own = rows.filter(pc.equal(rows["stage_key"], key))
        attempts = own["attempt"].unique().to_pylist() if table == "attempts" else [stage.attempt]
        for number in attempts if own.num_rows else []:
            of_attempt = own.filter(pc.equal(own["attempt"], number)) if len(attempts) > 1 else own
            store.write_rows(table, layout.live_name(key, number), of_attempt.to_pylist())


def _write_pack(
    store: Store,
    before: Manifest,
    number: int,
    stages: Mapping[str, SealedStage],
    attempts: Mapping[str, Sequence[int]],
) -> Pack:
    sealed_keys = before.stages.keys() & stages.keys()
    tables: dict[str, list[pa.Table]] = defaultdict(list)
    for table in (*sorted(layout.STAGE_TABLES), "attempts"):
        rows = sealed_rows(store.root, before, table, sealed_keys) if sealed_keys else None
        if rows is not None:
            tables[table].append(rows.read(None))
    kept = {}
    for key, stage in stages.items():
        if key not in sealed_keys:
            try:
                parts = _of_stage(store, key, stage, attempts.get(key, []))
            except (FileNotFoundError, DamagedFile):
                continue  # Not all rows are there and intact.
            for table, part in parts.items():
                tables[table].append(part)
        kept[key] = stage
    return write_pack(store, number, kept, tables)


def write_pack(
    store: Store,
    number: int,
    stages: Mapping[str, SealedStage],
    tables: Mapping[str, Sequence["pa.Table"]],
) -> Pack:
    """Write the rows of some stages to a new pack, which no manifest names yet.

    Args:
        store: Where to.
        number: Of the manifest that will name it.
        stages: Whose rows they are.
        tables: By table, parts of its rows.
    """
    name = f"{number:08d}-{secrets.token_hex(4)}"
    files = {}
    for table, some in tables.items():
        content, num_rows = _encoded(table, some)
        write_whole(sealed_path(store.root, table, name), content)
        files[table] = SealedFile(num_rows, len(content), tuple(block_sums(content)))
    return Pack(name, len(stages), stages, files)


def _of_stage(store: Store, key: str, stage: SealedStage, attempts: Sequence[int]) -> Parts:
    import pyarrow as pa

    from results.store.codec import decode

    def rows(table: str, attempt: int) -> pa.Table:
        path = store.live_path(table, layout.live_name(key, attempt))
        found = decode(table, path, path.read_bytes())
        if not found.num_rows:
            raise DamagedFile(f"{path} has no rows.")
        return found

    parts = {table: rows(table, stage.attempt) for table in layout.ROWS_OF[stage.kind]}
    numbers = sorted({stage.attempt, *(number for number in attempts if number < stage.attempt)})
    of_attempts = pa.concat_tables([rows("attempts", one) for one in numbers])
    # Of an attempt before the last, whose row nobody has ended.
    return parts | {"attempts": with_ends(store, of_attempts, gone_attempts(store, of_attempts))}


def _encoded(table: str, parts: Sequence["pa.Table"]) -> tuple[bytes, int]:
    """Sorted rows as Parquet, and how many they are."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    # In one piece, because thousands of small ones take three times as long to sort and write.
    rows = pa.concat_tables(parts).cast(SCHEMA[table].arrow).combine_chunks()
    order = [(name, "ascending") for name in SCHEMA[table].key]
    keys = rows.select(SCHEMA[table].key)
    if table == "epochs":
        tens = pc.divide(rows["epoch"], EPOCHS_TOGETHER)
        keys, order = keys.append_column("tens", tens), [("tens", "ascending"), *order]
    rows = rows.take(pc.sort_indices(keys, order))
    vectors = [field.name for field in rows.schema if field.type == VECTOR]
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        write_page_checksum=True,
        row_group_size=GROUP_ROWS.get(table),
        # Lists of floats are nearly all different: a dictionary of them only costs time.
        use_dictionary=[name for name in rows.column_names if name not in vectors],
        use_byte_stream_split=[f"{name}.list.element" for name in vectors],
    )
    return sink.getvalue().to_pybytes(), rows.num_rows


def remove_pack(store: Store, pack: Pack) -> None:
    """Remove the files of a pack that no manifest names."""
    for table in pack.files:
        with suppress(OSError):
            sealed_path(store.root, table, pack.name).unlink()
