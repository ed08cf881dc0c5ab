"""SQL answers questions about the tables, and can reach nothing else."""

import hashlib
import os
from pathlib import Path

import pytest

from results.errors import DamagedFile, QueryError
from results.query.sql import query
from results.query.tables import Tables
from results.query.views import VIEWS
from results.store.store import Store

SECRET = "the secret that no query may show"
OUT = "written"
"""Beginning of the names of files that a query tries to write."""


def ask(store: Store, sql: str, timeout_s: float = 60.0) -> list[tuple]:
    rows = query(Tables(store), sql, timeout_s).to_pylist()
    return [tuple(row.values()) for row in rows]


def test_views_are_joined_by_their_keys(example: Store) -> None:
    sql = """
        WITH ok AS (SELECT * FROM outcomes WHERE outcome = 'ok')
        SELECT method, count(*), round(avg(r.test_top1_pct), 2)
        FROM ok JOIN retrains r ON r.stage_key = ok.retrain_key GROUP BY ALL ORDER BY 1
    """
    assert ask(example, sql) == [("fairdarts", 3, 97.3), ("random", 1, 96.5)]


def test_names_of_views_may_be_in_capitals_quoted_or_qualified(example: Store) -> None:
    for name in ("TRIALS", '"Trials"', "main.trials"):
        assert ask(example, f"SELECT count(*) FROM {name}") == [(6,)]


def test_only_the_views_that_are_named_are_read(
    tmp_path: Path, example: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = next((example.root / "live" / "epochs").iterdir())
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-20])
    try:
        assert ask(example, "SELECT count(*) FROM trials JOIN genotypes ON true") == [(24,)]
        with pytest.raises(DamagedFile, match=damaged.name):
            ask(example, "SELECT count(*) FROM alphas")
    finally:
        damaged.write_bytes(content)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "must be one statement, not 0"),
        ("SELECT 1; SELECT 2", "must be one statement, not 2"),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT topp FROM trials", 'column "topp" not found.*Candidate bindings'),
        ("SELECT * FROM trial", "there is no table trial: the tables are trials, outcomes, "),
        ("SELECT $x", "(?i)parameter"),
        (
            "PIVOT trials ON method USING count(*)",
            "PIVOT must name its values|must be one statement",
        ),
    ],
)
def test_a_wrong_query_is_told_in_one_sentence(example: Store, sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        ask(example, sql)
    assert "\n" not in str(caught.value)
    assert "LINE 1" not in str(caught.value)


def test_a_query_without_end_is_stopped(example: Store) -> None:
    with pytest.raises(QueryError, match=r"stopped after 0\.2 s: ask for less"):
        ask(example, "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b", 0.2)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT list(range) FROM range(100000000)", "needs more than 0.05 GiB of memory"),
        ("SELECT * FROM range(100000000)", "the result is larger than 0.05 GiB"),
    ],
)
def test_a_query_gets_only_so_much_memory(example: Store, sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        query(Tables(example), sql, memory_gib=0.05)


def test_a_setting_is_as_it_was_locked(example: Store) -> None:
    settings = dict(ask(example, "SELECT name, value FROM duckdb_settings()"))
    assert settings["enable_external_access"] == "false"
    assert settings["lock_configuration"] == "true"
    assert settings["temp_directory"] == ""


ESCAPES = [
    # Functions that read files.
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_csv_auto('{secret}')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_json_auto('{secret}')",
    "SELECT * FROM read_ndjson('{secret}')",
    "SELECT * FROM read_ndjson_objects('{secret}')",
    "SELECT * FROM read_json_objects('{secret}')",
    "SELECT * FROM read_parquet('{store}/live/trials/*.parquet')",
    "SELECT * FROM parquet_scan('{store}/live/trials/*.parquet')",
    "SELECT * FROM parquet_metadata('{store}/live/trials/*.parquet')",
    "SELECT * FROM parquet_schema('{store}/live/trials/*.parquet')",
    "SELECT * FROM parquet_kv_metadata('{store}/live/trials/*.parquet')",
    "SELECT * FROM parquet_file_metadata('{store}/live/trials/*.parquet')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM '{store}/live/trials/*.parquet'",
    'SELECT * FROM "{secret}"',
    "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
    "SELECT * FROM query_table('{secret}')",
    "SELECT content FROM trials, read_text('{secret}')",
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "WITH t AS (SELECT * FROM read_text('{secret}')) SELECT * FROM t",
    "DESCRIBE SELECT * FROM read_csv('{secret}')",
    "SUMMARIZE SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_text('file://{secret}')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_csv('/dev/stdin')",
    "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "SELECT * FROM st_read('{secret}')",
    "SELECT * FROM sqlite_scan('{secret}', 'x')",
    "SELECT * FROM iceberg_scan('{store}')",
    "SELECT * FROM delta_scan('{store}')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM python_map_function(1)",
    # Variables of this process and of Python.
    "SELECT getenv('FAIRDARTS_SECRET')",
    "SELECT * FROM environment",
    "SELECT * FROM a_frame_of_python",
    # Statements that write, attach, load or change settings.
    "COPY trials TO '{folder}/{out}.csv'",
    "COPY (SELECT 1) TO '{folder}/{out}.parquet' (FORMAT parquet)",
    "COPY trials FROM '{secret}'",
    "EXPORT DATABASE '{folder}/{out}'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/{out}.duckdb'",
    "ATTACH '{secret}' AS other (TYPE sqlite)",
    "ATTACH 'http://127.0.0.1:9/x.duckdb'",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9'",
    "LOAD httpfs",
    "LOAD '{secret}'",
    "UPDATE EXTENSIONS",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "SET GLOBAL temp_directory = '{folder}/{out}'",
    "SET VARIABLE x = 1",
    "PRAGMA enable_profiling",
    "PRAGMA profiling_output = '{folder}/{out}.json'",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "BEGIN TRANSACTION",
    "CREATE TABLE t AS SELECT * FROM trials",
    "CREATE TEMP VIEW v AS SELECT * FROM read_text('{secret}')",
    "CREATE MACRO m() AS TABLE SELECT * FROM read_text('{secret}')",
    "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "INSERT INTO trials SELECT * FROM trials",
    "UPDATE trials SET sweep = 'x'",
    "DELETE FROM trials",
    "DROP VIEW trials",
    "ALTER TABLE trials ADD COLUMN x INT",
    "PREPARE p AS SELECT * FROM read_text('{secret}')",
    "EXECUTE p",
    "EXPLAIN ANALYZE COPY trials TO '{folder}/{out}.csv'",
    "EXPLAIN /* */ (ANALYZE) COPY trials TO '{folder}/{out}.csv'",
    "SELECT 1; COPY trials TO '{folder}/{out}.csv'",
    "SELECT * FROM enable_logging(storage := 'file', storage_path := '{folder}/{out}')",
    "CALL enable_logging(storage = 'file', storage_path = '{folder}/{out}')",
    "SELECT * FROM force_checkpoint('memory')",
    "SELECT write_log('x', log_type := 'y')",
    "SELECT * FROM load_aws_credentials()",
    "SELECT * FROM sql_auto_complete('SEL')",
]
"""Statements that try to read what is not a view, or to write, each with the paths to fill in."""

HARMLESS = [
    "SELECT write_log('x', log_type := 'y')",  # A log in memory, which ends with the query.
    # Answered by older versions of DuckDB: no row, and the name of the database in memory.
    "SELECT * FROM enable_logging(storage := 'file', storage_path := '{folder}/{out}')",
    "PRAGMA database_list",
]
"""Those that may be answered, because they show and change nothing outside of the query."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a secret, which is also the working and the home directory."""
    (tmp_path / "secret.csv").write_text(f"column\n{SECRET}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FAIRDARTS_SECRET", SECRET)
    return tmp_path


@pytest.mark.parametrize("escape", ESCAPES)
def test_nothing_but_the_views_can_be_read_and_nothing_written(
    example: Store, folder: Path, escape: str
) -> None:
    secret = folder / "secret.csv"
    sql = escape.format(secret=secret, store=example.root, folder=folder, out=OUT)
    before = content_of(folder) | content_of(example.root)

    try:
        answer = repr(query(Tables(example), sql).to_pylist())
    except QueryError:
        answer = ""
    else:
        assert escape in HARMLESS

    assert SECRET not in answer
    assert "secret.csv" not in answer
    assert "PAR1" not in answer
    assert content_of(folder) | content_of(example.root) == before


def test_the_suite_is_as_large_as_it_claims() -> None:
    assert len(set(ESCAPES)) == len(ESCAPES) >= 80
    assert set(HARMLESS) <= set(ESCAPES)


def test_a_variable_of_python_is_not_a_table(example: Store) -> None:
    a_frame_of_python = example.read("trials")
    assert a_frame_of_python.num_rows
    with pytest.raises(QueryError, match="there is no table a_frame_of_python"):
        ask(example, "SELECT * FROM a_frame_of_python")


def content_of(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder."""
    return {
        os.fspath(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def test_the_tables_are_listed_in_the_error_of_an_unknown_one(example: Store) -> None:
    with pytest.raises(QueryError) as caught:
        ask(example, "FROM nothing")
    assert all(name in str(caught.value) for name in VIEWS)


def test_ops_names_the_places_in_the_lists_of_epochs(example: Store) -> None:
    unfolded = """
        SELECT DISTINCT stage_key, epoch, position, cell, edge, operation, alphas[position + 1]
        FROM epochs JOIN trials ON stage_key = search_key JOIN ops USING (space) ORDER BY ALL
    """
    named = (
        "SELECT stage_key, epoch, position, cell, edge, operation, alpha FROM alphas ORDER BY ALL"
    )

    rows = [[*row.values()] for row in query(Tables(example), unfolded).to_pylist()]
    assert rows == [[*row.values()] for row in query(Tables(example), named).to_pylist()]
    assert len(rows) == 3 * 2 * 196
