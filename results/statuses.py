"""The words for how attempts and trials end, as the tables have them."""

from enum import StrEnum


class AttemptStatus(StrEnum):
    """Values of the column `status` of the table `attempts`."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    LOST = "lost"
    """Stopped, interrupted, killed, on a node that died or a full disk; it continues later."""


class FailureKind(StrEnum):
    """Values of the column `failure_kind` of the table `attempts`."""

    EXCEPTION = "exception"
    OOM = "oom"
    DIVERGED = "diverged"
    DISK_FULL = "disk_full"
    BAD_CHECKPOINT = "bad_checkpoint"
    WRONG_IMAGES = "wrong_images"
    CRASH = "crash"
    """Its process died again and again."""
    STALLED = "stalled"
    """It finished no epoch, or its process showed no sign of life, for too long."""
    STOPPED = "stopped"
    """A user asked for it with `sweep stop`, or the run ended early."""


class TrialOutcome(StrEnum):
    """How far a planned trial came."""

    OK = "ok"
    INVALID = "invalid"
    """No network can be built from its genotype."""
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """It is pending, running or lost."""
