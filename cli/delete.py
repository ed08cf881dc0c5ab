"""`fairdarts sweep delete`: remove a sweep and its results from the store."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.formats import Format, FormatOption, print_json
from cli.options import DEFAULT_STORE, StoreOption
from cli.progress import working
from results.text import counted

if TYPE_CHECKING:
    from orchestrate.running.deletion import Doomed
    from results.store.store import Store

BYTES_PER_MB = 1e6
NOTHING_DONE = 1


def delete(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the store.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Delete a sweep: its plans, and the results, logs and weights of its stages.

    Says first what goes, and asks. Stages that another sweep needs too, such as a shared search,
    stay. If the command is interrupted, all of the sweep is deleted or nothing. If the sweep is run
    again, what was deleted is computed again. As JSON: sweep, num_submissions, num_trials,
    num_stages, num_kept (stages that stay), num_bytes and deleted (true or false); without --yes
    nothing is asked, and nothing is deleted.

    Examples:

    \b
        fairdarts sweep delete quickstart
        fairdarts sweep delete quickstart --yes
    """
    from orchestrate.running.deletion import doomed
    from orchestrate.running.drivers import changing
    from results.store.store import Store

    opened = Store.open(store)
    if not yes:
        of = doomed(opened, sweep)
        _say(of, format_, deleted=False)
        if format_ is Format.JSON:
            raise typer.Exit(NOTHING_DONE)
        if not (sys.stdin.isatty() and typer.confirm("Delete?")):
            print("Nothing was deleted; --yes deletes without asking.")
            raise typer.Exit(NOTHING_DONE)
    with changing(opened, f"sweep delete {sweep}"), working("deleting the sweep"):
        of = doomed(opened, sweep)  # Again, because now no run can begin.
        _delete(of, opened)
    if yes:
        _say(of, format_, deleted=True)
    if format_ is Format.TEXT:
        print(f"Deleted {sweep}.")


def _delete(of: "Doomed", store: "Store") -> None:
    from orchestrate.running.deletion import delete
    from results.errors import StoreError
    from results.store.seal import seal

    try:
        delete(of)
        seal(store, {})  # Writes packs anew that also have rows of other sweeps.
    except OSError as error:
        if of.sweep in store.sweep_names():
            raise
        raise StoreError(
            f"{of.sweep} is deleted, but not all of its files could be removed ({error}): "
            "`fairdarts results compact` removes them."
        ) from None


def _say(of: "Doomed", format_: Format, deleted: bool) -> None:
    if format_ is Format.JSON:
        print_json(
            {
                "sweep": of.sweep,
                "num_submissions": len(of.submissions),
                "num_trials": len(of.trials),
                "num_stages": len(of.stages),
                "num_kept": len(of.kept),
                "num_bytes": of.num_bytes,
                "deleted": deleted,
            }
        )
        return
    submissions = counted(len(of.submissions), "submission")
    goes = "goes" if len(of.stages) == 1 else "go"
    print(
        f"{of.sweep}: {counted(len(of.trials), 'trial')} of {submissions}: "
        f"{counted(len(of.stages), 'stage')} with results {goes}, "
        f"{of.num_bytes / BYTES_PER_MB:,.1f} MB beside what is sealed."
    )
    if of.kept:
        others = ", ".join(sorted(frozenset().union(*of.kept.values())))
        stay = "stays" if len(of.kept) == 1 else "stay"
        print(f"{counted(len(of.kept), 'stage')} {stay}, because {others} also needs them.")
