"""`fairdarts sweep`: plan, run, resume and watch sweeps."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import rich_console
from cli.formats import Format, FormatOption, indented, notes_aside, print_json
from cli.images import Fingerprinter
from cli.options import (
    DEFAULT_STORE,
    AddressOption,
    BackendOption,
    MlflowOption,
    ScaleOption,
    SetOption,
    StoreOption,
    TensorBoardOption,
    WandbOption,
)
from cli.planned import origin, planned
from cli.progress import working
from cli.run_report import cost_text
from cli.running import (
    MaxAttemptsOption,
    MaxFailuresOption,
    RunOptions,
    check_options,
    newest_submission,
    resources_line,
    room_here,
    run_submission,
    summary,
    with_current_images,
    with_max_attempts,
)
from orchestrate.mirrors.targets import Targets
from orchestrate.running.backend import Backend
from orchestrate.statuses import Earlier, Status
from results.text import counted

if TYPE_CHECKING:
    from orchestrate.planning.plan import TrialSpec
    from orchestrate.running.status import TrialStatus

app = typer.Typer(help="Plan, run, resume and watch sweeps.", no_args_is_help=True)

SweepArgument = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP", help="A packaged sweep (`fairdarts sweep list`) or a TOML file."
    ),
]

A_TRIAL_FAILED, UNFINISHED = 1, 3
"""Exit codes of `sweep status --exit-code`."""
MAX_SHOWN = 200
"""At most this many trials of a plan are printed as text."""


@app.command("list")
def list_(format_: FormatOption = Format.TEXT) -> None:
    """Show the packaged sweeps and what they cost.

    As JSON: a list of name, description, cost.

    Example:

    \b
        fairdarts sweep list
    """
    from orchestrate.planning.sweep_file import load_sweep, packaged_sweeps

    sweeps = [load_sweep(name) for name in packaged_sweeps()]
    if format_ is Format.JSON:
        keys = ("name", "description", "cost")
        print_json([{key: getattr(sweep, key) for key in keys} for sweep in sweeps])
        return
    for sweep in sweeps:
        print(sweep.name)
        print(indented(sweep.description))
        print(indented(f"cost: {sweep.cost}"))


@app.command()
def plan(
    sweep: SweepArgument,
    set_: SetOption = None,
    scale: ScaleOption = "paper",
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Print the trials of a sweep; start nothing.

    Shows the status of each trial; the last line says how many CPUs and GPUs each gets. As JSON:
    sweep, stages_on_this_machine and trials, each with the columns of the table `trials`, status,
    stage and holder (the process that computes it).

    Examples:

    \b
        fairdarts sweep plan quickstart
        fairdarts sweep plan quickstart --set 'seed=[0, 1, 2]' --format json
    """
    from orchestrate.errors import ClusterError
    from orchestrate.planning.resources import this_machine
    from orchestrate.planning.sweep_file import load_sweep

    loaded = load_sweep(sweep, set_, scale)
    trials = planned(loaded, Fingerprinter(store))
    known = _statuses_if_store(store, trials)
    if format_ is Format.JSON:
        from cli.sweep_json import plan_document

        try:
            room = room_here(loaded.resources, this_machine())
            here = {
                kind: asdict(share) | {"at_once": room.at_once[kind]}
                for kind, share in room.shares.items()
            }
        except ClusterError:
            here = None
        print_json(plan_document(loaded.name, trials, known, here))
        return
    statuses = [_status_text(status) for status in known]
    width = max(len(trial.label) for trial in trials[:MAX_SHOWN])
    for trial, status in list(zip(trials, statuses, strict=True))[:MAX_SHOWN]:
        print(f"{trial.trial_id}  {trial.label:<{width}}  {status}")
    if len(trials) > MAX_SHOWN:
        print(f"... and {len(trials) - MAX_SHOWN:,} more; --format json prints all of them")
    print(summary(loaded.name, known))
    _print_others(store, loaded.name, trials)
    try:
        print(resources_line(loaded.resources, this_machine()))
    except ClusterError as error:  # Not an error: this may be the plan of a sweep for a cluster.
        print(f"Not on this machine: {error}")


@app.command()
def run(
    sweep: SweepArgument,
    set_: SetOption = None,
    scale: ScaleOption = "paper",
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
    backend: BackendOption = Backend.RAY,
    address: AddressOption = None,
    max_failures: MaxFailuresOption = None,
    tensorboard: TensorBoardOption = None,
    wandb: WandbOption = None,
    mlflow: MlflowOption = None,
    earlier: Annotated[
        Earlier | None,
        typer.Option(
            help="If the sweep has trials that this plan has not, and this plan new ones: keep "
            "both, or replace the earlier ones, which tables then leave out. Default: refuse."
        ),
    ] = None,
) -> None:
    """Run the unfinished trials of a sweep.

    Finished trials are skipped, and unfinished ones continue from their last epoch. After an
    interrupt, run the same command again. Fewer trials than the sweep has, such as some of its
    seeds, can be run by themselves: the others stay in its tables. As JSON, at the end: what
    `sweep status` prints, exit_code, outcome, which says what this code means: finished, failed,
    unfinished or stopped, and ended_early, the reason if the run ended early. Progress then goes to
    stderr.

    Examples:

    \b
        fairdarts sweep run quickstart
        fairdarts sweep run quickstart --set 'seed=[0, 1, 2, 3]'
        fairdarts sweep run quickstart --backend process
        fairdarts sweep run quickstart --max-failures 2
        fairdarts sweep run quickstart --tensorboard events
    """
    from orchestrate.planning.earlier import compared, submit_beside
    from orchestrate.planning.resources import stage_shares, this_machine
    from orchestrate.planning.sweep_file import load_sweep
    from orchestrate.running.cluster import session_folder
    from results.store.store import Store

    targets = Targets(tensorboard, wandb, mlflow)
    check_options(backend, address, targets)
    loaded = load_sweep(sweep, set_, scale)
    images = Fingerprinter(store)
    trials = planned(loaded, images)
    if address is None:
        # Refuse before anything is written if trials need more than this machine has, or if the
        # path of Ray's sockets is too long.
        stage_shares(loaded.resources, [this_machine()])
        if backend is Backend.RAY:
            session_folder()
    results = Store.create(store)
    images.share(results)
    others = compared(results, loaded.name, trials).others
    came_from = origin(loaded.text)
    submission = submit_beside(results, loaded.name, trials, loaded.resources, came_from, earlier)
    if others and earlier is not Earlier.REPLACE:
        with notes_aside(format_):
            number = counted(len(others), "trial")
            print(f"{loaded.name} also has {number} that this command does not run.")
    words = ["fairdarts", "sweep", "run", sweep]
    for text in set_ or []:
        words += ["--set", text]
    again = shlex.join([*words, "--scale", scale] if scale != "paper" else words)
    options = RunOptions(backend, address, max_failures, targets=targets)
    run_submission(results, submission, options, again, format_)


@app.command()
def resume(
    sweep: SweepArgument,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
    backend: BackendOption = Backend.RAY,
    address: AddressOption = None,
    max_attempts: MaxAttemptsOption = None,
    max_failures: MaxFailuresOption = None,
    tensorboard: TensorBoardOption = None,
    wandb: WandbOption = None,
    mlflow: MlflowOption = None,
) -> None:
    """Continue a sweep and retry failed trials.

    Uses the settings of the last `sweep run`. Each failed trial is tried once more, up to
    resources.max_attempts of the sweep in total. If images have changed since then, for example
    after a repair, the sweep is planned again with the new images. As JSON: see `sweep run`.

    Examples:

    \b
        fairdarts sweep resume quickstart
        fairdarts sweep resume quickstart --max-attempts 5
    """
    from orchestrate.running.retry import EVERY_KIND
    from results.store.store import Store

    targets = Targets(tensorboard, wandb, mlflow)
    check_options(backend, address, targets)
    results = Store.open(store)
    with notes_aside(format_):
        submission = with_current_images(results, newest_submission(results, sweep))
    submission = with_max_attempts(submission, max_attempts)
    again = f"fairdarts sweep resume {sweep}"
    options = RunOptions(backend, address, max_failures, EVERY_KIND, targets)
    run_submission(results, submission, options, again, format_)


@app.command()
def status(
    sweep: SweepArgument,
    format_: FormatOption = Format.TEXT,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="End with 1 if a trial failed, else with 3 if one is unfinished."
        ),
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Show counts, running trials, failures, and what all of it has cost.

    As JSON: sweep, submission, planned_at, cost (slot_s, gpu_s, energy_j, elapsed_s, disk_bytes)
    and trials, as in `sweep plan`, each with epochs_done, num_epochs, left_in_stage_s,
    num_failures, reason and log.

    Examples:

    \b
        fairdarts sweep status quickstart
        fairdarts sweep status quickstart --format json
    """
    from cli.live import status_table
    from cli.tables import say_left_out
    from orchestrate.running.status import sweep_status
    from results.query.tables import Tables
    from results.store.store import Store

    results = Store.open(store)
    submission = newest_submission(results, sweep)
    statuses = sweep_status(results, submission.trials)
    if format_ is Format.JSON:
        from cli.sweep_json import status_document

        print_json(status_document(results, submission, statuses))
    else:
        rich_console().print(status_table(results, statuses), soft_wrap=True)
        print(f"Cost so far: {cost_text(results, submission)}")
        if submission.number > 1:
            say_left_out(Tables(results, [submission.sweep]))
    if exit_code and not all(status.finished for status in statuses):
        failed = any(status.status == Status.FAILED for status in statuses)
        raise typer.Exit(A_TRIAL_FAILED if failed else UNFINISHED)


def _print_others(folder: Path, sweep: str, trials: "list[TrialSpec]") -> None:
    """Say what the sweep has in the store beside the trials of a plan."""
    from orchestrate.planning.earlier import compared
    from results.store.store import Store

    if not Store.exists_at(folder):
        return
    beside = compared(Store.open(folder), sweep, trials)
    if beside.others:
        then = "" if beside.is_part else "; `sweep run` needs --earlier keep or replace"
        print(f"{sweep} also has {counted(len(beside.others), 'trial')} in {folder}{then}.")


@working("reading the state of the trials")
def _statuses_if_store(folder: Path, trials: "list[TrialSpec]") -> "Sequence[TrialStatus | None]":
    from orchestrate.running.status import sweep_status
    from results.store.store import Store

    if not Store.exists_at(folder):
        return [None for _ in trials]
    return sweep_status(Store.open(folder), trials)


def _status_text(status: "TrialStatus | None") -> str:
    if status is None:
        return Status.PENDING
    if status.status == Status.RUNNING:
        return f"running by {status.state.holder}"
    if status.status in (Status.PENDING, Status.LOST) and status.started:
        return f"{status.status}, continues at {status.stage.kind}"
    return status.status
