"""The words for how attempts and trials end, as the tables have them."""

from enum import StrEnum


class AttemptStatus(StrEnum):
    """Values of the column `status` of the table `attempts`."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    LOST = "lost"
    """Interrupted, killed, on a node that died or a full disk; the next attempt continues."""


class TrialOutcome(StrEnum):
    """How far a planned trial came."""

    OK = "ok"
    INVALID = "invalid"
    """No network can be built from its genotype."""
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """It is pending, running or lost."""
