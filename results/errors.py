"""What this package raises when its input is at fault: one sentence a person can act on."""


class ResultsError(Exception):
    """Base of the errors of the store; its text is meant to be printed as it is."""


class StoreError(ResultsError):
    """A folder that is no store, a store this version cannot read, or a name it does not allow."""


class SchemaError(ResultsError):
    """Rows that do not fit the table they are written to."""


class DamagedFile(ResultsError):
    """A file whose content is not what was written."""
