import pyarrow as pa
import pytest

from results.schema import DESCRIPTION, SCHEMA, UNIT, Column, Table
from results.store.layout import STAGE_TABLES, TABLES

COLUMNS = [
    pytest.param(column, id=f"{table.name}.{column.name}")
    for table in SCHEMA.values()
    for column in table.columns
]


@pytest.mark.parametrize("column", COLUMNS)
def test_the_unit_follows_from_the_name(column: Column) -> None:
    for suffix, unit in {"_pct": "%", "_per_s": "1/s", "_s": "s", "_mib": "MiB", "_j": "J"}.items():
        if column.name.endswith(suffix):
            assert column.unit == unit
            return
    assert column.unit not in ("%", "s", "1/s", "MiB", "J")


@pytest.mark.parametrize("column", COLUMNS)
def test_unit_and_description_are_in_the_field(column: Column) -> None:
    assert column.field.metadata == {
        UNIT: column.unit.encode(),
        DESCRIPTION: column.description.encode(),
    }
    assert column.description
    if pa.types.is_timestamp(column.type):
        assert column.type == pa.timestamp("us", tz="UTC")
        assert column.name.endswith("_at")


@pytest.mark.parametrize("table", SCHEMA.values(), ids=SCHEMA.keys())
def test_column_names_are_distinct_and_hold_the_key(table: Table) -> None:
    names = table.arrow.names

    assert len(set(names)) == len(names)
    assert set(table.key) <= set(names)


def test_layout_and_schema_name_the_same_tables() -> None:
    assert set(SCHEMA) == TABLES
    assert {table.name for table in SCHEMA.values() if "stage_key" in table.key} == {
        *STAGE_TABLES,
        "attempts",
    }
