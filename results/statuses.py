"""The words that the tables use for attempts and for trials."""

from enum import StrEnum


class AttemptStatus(StrEnum):
    """The column `status` of the table `attempts`."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    LOST = "lost"
    """Interrupted, killed, on a node that died or a full disk; the next attempt continues."""


class TrialOutcome(StrEnum):
    """What became of a planned trial."""

    OK = "ok"
    INVALID = "invalid"
    """Its genotype makes no network."""
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """It is pending, running or lost."""
