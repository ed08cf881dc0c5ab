"""What is checked between a plan and its trials, before anything is written or called pending."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from orchestrate.planning.plan import TrialSpec


def checked(trials: "list[TrialSpec]") -> "list[TrialSpec]":
    """The trials, once it is sure that they can run; what is hardly meant is said on stderr.

    Raises:
        FairDartsError, SweepError: If one of their stages would fail or mean nothing.
    """
    from orchestrate.planning.checks import check_trials

    for warning in check_trials(trials):
        typer.echo(f"warning: {warning}", err=True)
    return trials
