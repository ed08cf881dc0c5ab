"""What this package raises when its input is at fault: one sentence a person can act on."""


class FairDartsError(Exception):
    """Base of the errors of the method; its text is meant to be printed as it is."""


class ConfigError(FairDartsError):
    """A setting that cannot be used: unknown, of the wrong type or out of range."""

    def __init__(self, message: str, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting
        """Full name of the setting at fault, where it is one."""


class DataError(FairDartsError):
    """A data set that is missing, incomplete or not what its name says."""


class GenotypeError(FairDartsError):
    """A genotype that does not describe an architecture of its search space."""


class CheckpointError(FairDartsError):
    """A checkpoint that is damaged or belongs to another configuration."""


class ExportError(FairDartsError):
    """A network that another format does not represent faithfully."""
