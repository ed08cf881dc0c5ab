"""Trials that a command plans: what is checked before anything is written or called pending."""

from typing import TYPE_CHECKING

import typer

from cli.progress import working

if TYPE_CHECKING:
    from cli.images import Images
    from orchestrate.planning.plan import TrialSpec
    from orchestrate.planning.sweep_file import Sweep

MANY = 500
"""Trials whose planning takes a moment; with fewer it is the images that may."""


def planned(sweep: "Sweep", images: "Images") -> "list[TrialSpec]":
    """The trials of a sweep, checked.

    Raises:
        FairDartsError, SweepError: If one of them cannot be planned or run, or means nothing.
    """
    from orchestrate.planning.plan import num_trials, plan

    total = num_trials(sweep)
    if total <= MANY:
        return checked(plan(sweep, images.identify))
    with working(f"planning {total:,} trials"):
        trials = plan(sweep, images.identify)
    return checked(trials)


def checked(trials: "list[TrialSpec]") -> "list[TrialSpec]":
    """The trials, once it is sure that they can run; what is hardly meant is said on stderr.

    Raises:
        FairDartsError, SweepError: If one of their stages would fail or mean nothing.
    """
    from orchestrate.planning.checks import check_trials

    for warning in check_trials(trials):
        typer.echo(f"warning: {warning}", err=True)
    return trials
