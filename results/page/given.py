"""What the page needs and tables cannot tell: the caller knows it, or can find it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class TrialState:
    """How far a trial is, read from the files of its stages."""

    status: str
    """done, invalid, running, lost, pending or failed."""
    detail: str = ""
    """How far its stage is, who computes it, or why it does not go on."""
    failure_kind: str = ""
    """How the newest attempt ended, if it said so; see `attempts.failure_kind`."""


@dataclass(frozen=True)
class Plan:
    """The newest submission of a sweep."""

    sweep: str
    number: int
    planned_at: str
    command: str
    """The command line that submitted it; empty: not known."""
    sweep_file: str
    """Text of the sweep file as it was then; empty: not known."""


@dataclass(frozen=True)
class Given:
    """What the caller hands over."""

    written_at: datetime
    version: str
    """Of this program."""
    command: str
    """The command that writes this page again."""
    states: Mapping[str, TrialState] = field(default_factory=dict)
    """By the id of a trial. Without one, a trial that is not finished counts as pending."""
    plans: tuple[Plan, ...] = ()
    activity: tuple[str, ...] = ()
    """Sentences: which runs are alive, their pace, the time left."""
    checkpoint_bytes: int = 0
    log: Callable[[str, str, int, int], list[str]] = lambda kind, key, attempt, lines: []
    """The last lines of the log of an attempt, given the kind and key of its stage, its number, and
    how many lines at most."""
    draw: Callable[[str, str], bytes | None] = lambda genotype_json, title: None
    """An SVG of a genotype, given its JSON and a title; None: it cannot be drawn."""
    refresh_s: int | None = None
    """After so many seconds the page loads itself again; None: it does not."""
