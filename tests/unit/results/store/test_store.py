import json
import math
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from repository import ROOT

from results.errors import DamagedFile, SchemaError, StoreError
from results.schema import SCHEMA
from results.store.files import read_json
from results.store.layout import live_name, plan_name, split_live_name
from results.store.store import Store

KEY = "00112233445566ff"
OTHER = "ff00112233445566"


def epoch(number: int, key: str = KEY, attempt: int = 1, **values: Any) -> dict[str, Any]:
    return {"stage_key": key, "attempt": attempt, "epoch": number, "wall_s": 1.5, **values}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def test_a_store_is_created_once_and_opened_by_anyone(store: Store) -> None:
    header = read_json(store.root / "STORE.json")

    assert header == {"format": "fairdarts-store", "schema_major": 1, "schema_minor": 4}
    assert Store.create(store.root) == Store.open(store.root) == store


def test_a_folder_that_is_no_store_is_refused_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is not a results store .*: run a sweep"):
        Store.open(tmp_path)
    with pytest.raises(StoreError, match="is not a results store"):
        Store.open(tmp_path / "missing")


def test_a_relative_root_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert Store.create("here").root == tmp_path / "here"


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_is_no_place_for_a_store(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")

    with pytest.raises(StoreError, match=f"{tmp_path / 'file'} is a file; give a folder"):
        Store.create(tmp_path / name)

    assert (tmp_path / "file").read_text() == "content"


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in ("thesis.tex", "events.out"):
        (tmp_path / name).touch()

    with pytest.raises(StoreError, match=r"events\.out and 1 more\).*--store .*/fairdarts"):
        Store.create(tmp_path)

    assert names_in(tmp_path) == ["events.out", "thesis.tex"]


@pytest.mark.parametrize("names", [[], [".git", "lost+found"], ["live", "stages"]], ids=str)
def test_a_folder_that_holds_nothing_else_becomes_a_store(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).mkdir()

    Store.create(tmp_path)

    assert names_in(tmp_path) == sorted([*names, "STORE.json"])


@pytest.mark.parametrize("url", ["s3://bucket/store", "gs://bucket", "hdfs://host/x"])
def test_object_stores_are_refused(url: str) -> None:
    for root in (url, Path(url)):
        with pytest.raises(StoreError, match="object stores are not supported"):
            Store.create(root)


def test_a_newer_minor_version_opens_and_a_newer_major_does_not(store: Store) -> None:
    path = store.root / "STORE.json"
    header = read_json(path)

    path.write_text(json.dumps(header | {"schema_minor": 7}))
    assert Store.open(store.root) == store

    path.write_text(json.dumps(header | {"schema_major": 4}))
    for open_store in (Store.open, Store.create):
        with pytest.raises(StoreError, match=r"schema version 4.*install a newer"):
            open_store(store.root)


@pytest.mark.parametrize("text", ["", "{", '{"format": "fairdarts-store"}'])
def test_a_damaged_header_is_refused(store: Store, text: str) -> None:
    (store.root / "STORE.json").write_text(text)

    with pytest.raises(DamagedFile, match=r"STORE\.json is damaged"):
        Store.open(store.root)


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "other"}'])
def test_the_header_of_something_else_is_refused(store: Store, text: str) -> None:
    (store.root / "STORE.json").write_text(text)

    with pytest.raises(StoreError, match="give another folder"):
        Store.open(store.root)


def test_a_stage_has_a_folder_of_its_own(store: Store) -> None:
    expected = store.root / "stages" / "search" / "00" / KEY

    assert store.stage_dir("search", KEY) == expected


def test_sweeps_are_listed_by_name(store: Store) -> None:
    assert store.sweep_names() == []
    for name in ("b", "a-1", ".hidden", "Not A Sweep"):
        (store.root / "sweeps" / name).mkdir(parents=True)

    assert store.sweep_names() == ["a-1", "b"]
    assert store.sweep_dir("b") == store.root / "sweeps" / "b"


HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a\0b",
    "a\n",
    "A",
    "-a",
    "é",
    "a" * 300,
    "=cmd()",
    "\x1b[31m",
    "\u202eabc",
    "٠٠١١٢٢٣٣٤٤٥٥٦٦٧٧",
    KEY + "\n",
    KEY.upper(),
    KEY + "/..",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_never_become_paths(store: Store, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.stage_dir("search", name),
        lambda: store.stage_dir(name, KEY),
        lambda: store.sweep_dir(name),
        lambda: store.write_rows("epochs", name, []),
        lambda: store.write_rows("epochs", f"{name}.a0001", []),
        lambda: store.write_rows("trials", name, []),
        lambda: store.write_rows(name, live_name(KEY, 1), []),
        lambda: store.read(name),
        lambda: store.supersede("epochs", name, 1),
        lambda: live_name(name, 1),
        lambda: plan_name(name, 1),
    ]
    for call in calls:
        with pytest.raises(StoreError):
            call()

    assert names_in(store.root) == ["STORE.json"]


def test_attempt_names_are_built_and_taken_apart() -> None:
    assert live_name(KEY, 2) == f"{KEY}.a0002"
    assert split_live_name(live_name(KEY, 12345)) == (KEY, 12345)
    with pytest.raises(StoreError, match="must have the form"):
        split_live_name("exp.0001")


def test_rows_survive_the_round_trip(store: Store) -> None:
    written_at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2)))
    row = epoch(0, train_loss=math.nan, alphas=[0.5, -1.25], written_at=written_at, kind="search")

    store.write_rows("epochs", live_name(KEY, 1), [row])
    (found,) = store.read("epochs").to_pylist()

    assert list(found) == SCHEMA["epochs"].arrow.names
    assert math.isnan(found.pop("train_loss")), "NaN is a value"
    assert found["test_loss"] is None, "null is not measured"
    assert found["written_at"] == written_at.astimezone(UTC)
    del row["train_loss"]
    assert {name: found[name] for name in row} == row


def test_a_writer_replaces_its_own_file(store: Store) -> None:
    name = live_name(KEY, 1)

    store.write_rows("epochs", name, [epoch(0)])
    store.write_rows("epochs", name, [epoch(0), epoch(1)])

    assert store.read("epochs")["epoch"].to_pylist() == [0, 1]
    assert names_in(store.root / "live" / "epochs") == [f"{name}.parquet"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"train_los": 1.0}, "epochs has no column train_los"),
        ({"epoch": 1.5}, "epochs.epoch must be int32: 1.5 is not an integer"),
        ({"epoch": 2**40}, "epochs.epoch must be int32"),
        ({"epoch": "1"}, "epochs.epoch must be int32"),
        ({"train_loss": "low"}, "epochs.train_loss must be double"),
        ({"kind": "\ud800"}, "epochs.kind must be string"),
        ({"written_at": datetime(2026, 1, 1)}, "has no time zone"),
    ],
)
def test_rows_that_do_not_fit_are_refused(store: Store, row: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        store.write_rows("epochs", live_name(KEY, 1), [row])

    assert store.read("epochs").num_rows == 0


@pytest.mark.parametrize("table", SCHEMA)
def test_an_empty_store_reads_as_empty_tables_of_the_full_schema(store: Store, table: str) -> None:
    assert store.read(table).schema.equals(SCHEMA[table].arrow, check_metadata=True)
    assert store.read(table).num_rows == 0


def test_only_the_highest_attempt_of_a_stage_is_read(store: Store) -> None:
    store.write_rows("epochs", live_name(KEY, 10_000), [epoch(0, attempt=2), epoch(1, attempt=3)])
    store.write_rows("epochs", live_name(KEY, 9999), [epoch(0), epoch(1), epoch(2)])
    store.write_rows("epochs", live_name(OTHER, 1), [epoch(0, OTHER)])

    rows = store.read("epochs").to_pylist()

    assert [(row["stage_key"], row["epoch"], row["attempt"]) for row in rows] == [
        (KEY, 0, 2),
        (KEY, 1, 3),
        (OTHER, 0, 1),
    ]


def test_every_attempt_and_every_submission_is_read(store: Store) -> None:
    for number in (1, 2):
        row = {"stage_key": KEY, "attempt": number}
        store.write_rows("attempts", live_name(KEY, number), [row])
        store.write_rows("trials", plan_name("exp", number), [{"submission": number}])

    assert store.read("attempts")["attempt"].to_pylist() == [1, 2]
    assert store.read("trials")["submission"].to_pylist() == [1, 2]


def test_a_read_can_be_limited_to_stages_and_columns(store: Store) -> None:
    for key in (KEY, OTHER):
        store.write_rows("epochs", live_name(key, 1), [epoch(0, key)])

    table = store.read("epochs", [OTHER], columns=["epoch", "stage_key"])

    assert table.to_pylist() == [{"epoch": 0, "stage_key": OTHER}]
    assert store.read("epochs", []).num_rows == 0


def test_superseded_attempts_are_deleted_and_no_others(store: Store) -> None:
    for key, attempt in [(KEY, 1), (KEY, 2), (KEY, 3), (OTHER, 1)]:
        store.write_rows("epochs", live_name(key, attempt), [epoch(0, key)])
    store.write_rows("attempts", live_name(KEY, 1), [{"stage_key": KEY}])

    store.supersede("epochs", KEY, 3)

    left = names_in(store.root / "live" / "epochs")
    assert left == [f"{KEY}.a0003.parquet", f"{OTHER}.a0001.parquet"]
    assert store.read("attempts").num_rows == 1


def test_readers_see_one_whole_attempt_while_attempts_replace_each_other(store: Store) -> None:
    store.write_rows("epochs", live_name(KEY, 1), [epoch(e, lr=1.0) for e in range(3)])

    def write() -> None:
        for attempt in range(2, 20):
            rows = [epoch(e, lr=float(attempt)) for e in range(3)]
            store.write_rows("epochs", live_name(KEY, attempt), rows)
            store.supersede("epochs", KEY, attempt)

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        rates = store.read("epochs")["lr"].to_pylist()
        assert len(rates) == 3
        assert len(set(rates)) == 1
        seen.append(rates[0])
    writer.join()
    assert seen == sorted(seen)


def test_a_file_that_is_listed_but_never_there_ends_the_read_in_words(store: Store) -> None:
    path = store.live_path("epochs", live_name(KEY, 1))
    path.parent.mkdir(parents=True)
    path.symlink_to(store.root / "missing")

    with pytest.raises(StoreError, match="changed while they were read: try again"):
        store.read("epochs")


def test_files_of_strangers_and_unfinished_writes_are_not_read(store: Store) -> None:
    store.write_rows("epochs", live_name(KEY, 1), [epoch(0)])
    folder = store.root / "live" / "epochs"
    for name in (f".{KEY}.a0001.parquet.1-ab.tmp", "copy of x.parquet", "notes.txt"):
        (folder / name).write_bytes(b"junk")

    assert store.read("epochs").num_rows == 1


def random_epochs() -> list[dict[str, Any]]:
    draw = random.Random(0)
    return [
        epoch(e, kind="search", zero_one_loss=math.nan, alphas=[draw.gauss() for _ in range(28)])
        for e in range(5)
    ]


def test_every_damaged_byte_and_every_truncation_is_noticed(store: Store) -> None:
    store.write_rows("epochs", live_name(KEY, 1), random_epochs())
    path = store.live_path("epochs", live_name(KEY, 1))
    good = path.read_bytes()
    draw = random.Random(1)

    def damaged() -> bytes:
        position = draw.randrange(len(good))
        kind = draw.choice(["flip", "cut", "zero", "grow"])
        if kind == "flip":
            flipped = good[position] ^ (1 << draw.randrange(8))
            return good[:position] + bytes([flipped]) + good[position + 1 :]
        if kind == "cut":
            return good[:position]
        if kind == "zero":
            return good[:position] + bytes(20) + good[position + 20 :]
        return good + bytes(1)

    for _ in range(200):
        content = damaged()
        path.write_bytes(content)
        if content != good:  # Zeros over zeros damage nothing.
            with pytest.raises(DamagedFile, match=rf"{path.name} is damaged .*: restore it"):
                store.read("epochs")


def test_text_that_looks_like_the_checksum_of_a_file_is_just_text(store: Store) -> None:
    text = f"sha256-of-file-with-zeros-here:{'0' * 64}"

    store.write_rows("trials", plan_name("exp", 1), [{"label": text, "config_json": text}])

    assert store.read("trials")["label"].to_pylist() == [text]


def test_the_error_of_a_damaged_file_names_the_remedy(store: Store) -> None:
    name = live_name(KEY, 1)
    store.write_rows("retrains", name, [{"stage_key": KEY}])
    store.live_path("retrains", name).write_bytes(b"junk")
    remedy = r"restore it from a copy, or let `fairdarts store check --repair` move it away"

    with pytest.raises(DamagedFile, match=remedy):
        store.read("retrains")


@pytest.mark.parametrize("damage", ["removed", "cut short", "empty"])
def test_a_stage_has_its_rows_while_every_table_has_them_whole(store: Store, damage: str) -> None:
    name = live_name(KEY, 2)
    for table in ("epochs", "retrains"):
        store.write_rows(table, name, [{"stage_key": KEY}])
    assert store.has_rows("retrain", KEY, 2)
    assert not store.has_rows("retrain", KEY, 1)
    path = store.live_path("retrains", name)
    if damage in ("removed"):
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] if damage == "cut short" else b"")

    assert not store.has_rows("retrain", KEY, 2)
    assert store.has_rows("search", KEY, 2)


def test_a_parquet_file_of_another_program_is_refused(store: Store) -> None:
    store.write_rows("epochs", live_name(KEY, 1), random_epochs())
    path = store.live_path("epochs", live_name(KEY, 1))
    pq.write_table(pq.read_table(path), path)

    with pytest.raises(DamagedFile):
        store.read("epochs")


def test_page_checksums_are_there_for_readers_that_verify_them(store: Store) -> None:
    store.write_rows("epochs", live_name(KEY, 1), random_epochs())
    path = store.live_path("epochs", live_name(KEY, 1))
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(0)
    content[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)

    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


def test_columns_that_differ_between_minor_versions_are_tolerated(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = SCHEMA["retrains"]
    names = [column.name for column in ours.columns]
    older = type(ours)(ours.name, ours.key, ours.columns[: names.index("trained_as")])
    row = {"stage_key": KEY, "epochs": 5, "trained_as": OTHER}

    # This version wrote, an older one reads; then the other way round.
    store.write_rows("retrains", live_name(KEY, 1), [row])
    monkeypatch.setitem(SCHEMA, "retrains", older)
    assert "trained_as" not in store.read("retrains").column_names
    store.write_rows("retrains", live_name(KEY, 1), [{"stage_key": KEY, "epochs": 5}])
    monkeypatch.setitem(SCHEMA, "retrains", ours)

    (found,) = store.read("retrains").to_pylist()
    assert (found["epochs"], found["trained_as"]) == (5, None)


def test_other_tools_read_the_bare_folder(store: Store) -> None:
    import pandas as pd

    for key in (KEY, OTHER):
        store.write_rows("epochs", live_name(key, 1), [epoch(e, key, lr=0.5) for e in range(3)])
    folder = store.root / "live" / "epochs"
    (folder / f".{KEY}.a0002.parquet.1-ab.tmp").write_bytes(b"half a file")

    assert pd.read_parquet(folder)["lr"].tolist() == [0.5] * 6
    assert ds.dataset(folder).to_table().num_rows == 6
    assert ds.dataset(folder).schema.field("wall_s").metadata[b"unit"] == b"s"
    query = f"SELECT stage_key, max(epoch) FROM '{folder}/*.parquet' GROUP BY 1 ORDER BY 1"
    assert duckdb.connect().execute(query).fetchall() == [(KEY, 2), (OTHER, 2)]


def test_paths_of_a_store_are_found_without_pyarrow_or_pandas(store: Store) -> None:
    code = """
import sys
from results.store.store import Store
Store.open(sys.argv[1]).stage_dir("search", "00112233445566ff")
print(sorted({"pyarrow", "pandas", "numpy"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, str(store.root)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert output.stdout == "[]\n"


def test_what_a_killed_writer_of_a_stage_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    key, other = "00" * 8, "ff" * 8
    left = store.live_path("epochs", f"{key}.a0001").with_name(f".{key}.a0001.parquet.1-ab.tmp")
    foreign = left.with_name(f".{other}.a0001.parquet.1-ab.tmp")
    store.write_rows("epochs", f"{key}.a0001", [{"stage_key": key, "epoch": 0}])
    left.write_bytes(b"half")
    foreign.write_bytes(b"half")

    store.remove_leftovers(key)

    assert not left.exists()
    assert foreign.exists()
    assert store.read("epochs", [key]).num_rows == 1


def test_a_store_that_can_be_written_is_left_as_it_was(store: Store) -> None:
    store.check_writable()

    assert [path.name for path in store.root.iterdir()] == ["STORE.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, which nobody can write to")
def test_a_store_that_cannot_be_written_says_so() -> None:
    with pytest.raises(StoreError, match=r"^/proc cannot be written: "):
        Store(Path("/proc")).check_writable()
