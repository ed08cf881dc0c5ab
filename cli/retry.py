"""`fairdarts sweep retry`: try failed trials again, each in the way that its failure asks for."""

import shlex
from typing import Annotated

import typer

from cli.formats import Format, FormatOption, notes_aside
from cli.options import (
    DEFAULT_STORE,
    AddressOption,
    BackendOption,
    MlflowOption,
    StoreOption,
    TensorBoardOption,
    WandbOption,
)
from cli.running import (
    MaxAttemptsOption,
    MaxFailuresOption,
    RunOptions,
    check_options,
    newest_submission,
    run_submission,
    with_current_images,
    with_max_attempts,
)
from orchestrate.mirrors.targets import Targets
from orchestrate.running.backend import Backend
from results.statuses import FailureKind


def retry(
    sweep: Annotated[
        str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the store, or its TOML file.")
    ],
    kind: Annotated[
        list[FailureKind] | None,
        typer.Option(help="Only failures of this kind; can be given several times."),
    ] = None,
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
    """Continue a sweep, and try failed trials again by the kind of their failure.

    A search that ran out of memory is tried again with search.recompute = true, which gives the
    same numbers in less memory; if that is not possible, and of retrainings, with a whole GPU
    instead of a part of one. A trial that diverged is not tried again, unless --kind diverged asks
    for it. Other failures are tried again as they were, as `sweep resume` does with all. What was
    lost with a process or a node always continues. The kind of each failure is in `sweep why` and
    in the table `attempts`. As JSON: see `sweep run`.

    Examples:

    \b
        fairdarts sweep retry quickstart
        fairdarts sweep retry quickstart --kind oom --kind crash
    """
    from orchestrate.running.retry import WORTH_A_TRY, with_remedies
    from orchestrate.running.status import sweep_status
    from results.store.store import Store

    targets = Targets(tensorboard, wandb, mlflow)
    check_options(backend, address, targets)
    opened = Store.open(store)
    kinds = frozenset(kind) if kind else WORTH_A_TRY
    with notes_aside(format_):
        submission = with_current_images(opened, newest_submission(opened, sweep))
        statuses = sweep_status(opened, submission.trials)
        submission, lines = with_remedies(opened, submission, statuses, kinds)
        for line in lines:
            print(line)
    submission = with_max_attempts(submission, max_attempts)
    words = ["fairdarts", "sweep", "retry", sweep]
    for name in kind or []:
        words += ["--kind", name.value]
    options = RunOptions(backend, address, max_failures, kinds, targets)
    run_submission(opened, submission, options, shlex.join(words), format_)
