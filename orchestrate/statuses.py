"""The words for where a stage or a trial is, and for how an attempt at one came out."""

from enum import StrEnum


class Status(StrEnum):
    """Where a stage or a trial is: read off its files, stored nowhere."""

    DONE = "done"
    INVALID = "invalid"
    """Of a trial: its genotype makes no network, so nothing is left to compute."""
    RUNNING = "running"
    LOST = "lost"
    """The process that computed it is gone; it continues when the sweep is run again."""
    PENDING = "pending"
    FAILED = "failed"


class Outcome(StrEnum):
    """How an attempt to bring a stage, or a trial, to its end came out."""

    OK = "ok"
    INVALID = "invalid"
    FAILED = "failed"
    HELD = "held"
    """Another live process computes it, or one of its stages."""
