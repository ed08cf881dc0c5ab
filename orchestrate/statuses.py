"""The words for how far a stage or a trial is, and for how an attempt at one ended."""

from enum import StrEnum


class Status(StrEnum):
    """How far a stage or a trial is; always read from its files and never stored."""

    DONE = "done"
    INVALID = "invalid"
    """Only of a trial: no network can be built from its genotype, so it is finished."""
    RUNNING = "running"
    LOST = "lost"
    """The process that computed it is gone; it continues when the sweep runs again."""
    PENDING = "pending"
    FAILED = "failed"


class Outcome(StrEnum):
    """How an attempt to finish a stage or a trial ended."""

    OK = "ok"
    INVALID = "invalid"
    FAILED = "failed"
    HELD = "held"
    """Another live process computes it, or one of its stages."""


class Earlier(StrEnum):
    """What to do with trials that only earlier submissions planned."""

    KEEP = "keep"
    """They stay in the plan, beside the new ones."""
    REPLACE = "replace"
    """The new plan stands alone; tables leave them out, but nothing is deleted."""
