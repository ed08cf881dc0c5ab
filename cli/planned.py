"""Planning trials and checking them, before anything is written or shown as pending."""

import shlex
import sys
from typing import TYPE_CHECKING

import typer

from cli.progress import working

if TYPE_CHECKING:
    from cli.images import Fingerprinter
    from orchestrate.planning.plan import TrialSpec
    from orchestrate.planning.submission import Origin
    from orchestrate.planning.sweep_file import Sweep

MANY = 500
"""Above this many trials planning itself takes seconds. With fewer, only reading images is slow,
and that shows its own progress."""


def origin(sweep_file: str = "") -> "Origin":
    """How this command came to submit a plan.

    Args:
        sweep_file: Text of the sweep file, if there is one.
    """
    from orchestrate.planning.submission import Origin

    return Origin(shlex.join(["fairdarts", *sys.argv[1:]]), sweep_file)


def planned(sweep: "Sweep", images: "Fingerprinter") -> "list[TrialSpec]":
    """Plan the trials of a sweep and check them.

    Raises:
        FairDartsError, SweepError: If a trial cannot be planned or run, or would be meaningless.
    """
    from orchestrate.planning.plan import num_trials, plan

    total = num_trials(sweep)
    if total <= MANY:
        return checked(plan(sweep, images.identify))
    with working(f"planning {total:,} trials"):
        trials = plan(sweep, images.identify)
    return checked(trials)


def checked(trials: "list[TrialSpec]") -> "list[TrialSpec]":
    """Check trials and return them; prints a warning for settings that are probably a mistake.

    Raises:
        FairDartsError, SweepError: If one of their stages would fail or be meaningless.
    """
    from orchestrate.planning.checks import check_trials

    for warning in check_trials(trials):
        typer.echo(f"warning: {warning}", err=True)
    return trials
