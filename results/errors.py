"""Errors of this package. Each text is one sentence that tells a person what to do."""


class ResultsError(Exception):
    """Base class; commands print its text unchanged."""


class StoreError(ResultsError):
    """A folder is not a store, this version cannot read the store, or a name is not allowed."""


class SchemaError(ResultsError):
    """Rows do not fit the table that they are written to."""


class DamagedFile(ResultsError):
    """The content of a file is not what was written."""


class QueryError(ResultsError):
    """A question to the tables cannot be answered as it was put."""
