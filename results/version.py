"""Version of the schema. It has its own file so that reading it does not import pyarrow."""

SCHEMA_MAJOR = 1
SCHEMA_MINOR = 4
"""Raised when a column is added. This program reads newer minor versions, but not newer majors."""
SEALED_MAJOR = SCHEMA_MAJOR + 1
"""Of a store with sealed files: its tables are the same, but a program that only looks for live
files would take its finished stages for missing, and must refuse it."""
DELETED_MAJOR = SEALED_MAJOR + 1
"""Of a store from which something was deleted, or into which a sweep was imported: a program that
does not know what is deleted would take files for results that are about to be removed."""
