"""Version of the schema, apart from it: whoever only needs this need not import pyarrow."""

SCHEMA_MAJOR = 1
SCHEMA_MINOR = 3
"""Raised when a column is appended; a newer minor stays readable, a newer major does not."""
