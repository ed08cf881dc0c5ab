"""Errors about wrong input: each says in one sentence what is wrong and what to do."""


class FairDartsError(Exception):
    """Base of the errors of the method; its text can be printed as it is."""


class ConfigError(FairDartsError):
    """A setting that cannot be used: unknown, of the wrong type or out of range."""

    def __init__(self, message: str, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting
        """Full name of the wrong setting, if it is a single one."""


class DataError(FairDartsError):
    """A data set that is missing, incomplete, damaged or not the one that was named."""


class GenotypeError(FairDartsError):
    """A genotype that does not describe an architecture of its search space."""


class CheckpointError(FairDartsError):
    """A checkpoint that is damaged or belongs to another configuration."""


class ExportError(FairDartsError):
    """A network that cannot be exported, or a file that is not an export of this package."""
