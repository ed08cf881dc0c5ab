"""The numbers that the paper prints, from `reference.csv`."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from results.query.views import REFERENCE

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def reference() -> "pa.Table":
    """The table `results.query.views.REFERENCE`."""
    from pyarrow import BufferReader, csv

    content = files("results.query").joinpath("reference.csv").read_bytes()
    types = {column.name: column.type for column in REFERENCE.columns}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    return csv.read_csv(BufferReader(content), convert_options=options).cast(REFERENCE.arrow)
