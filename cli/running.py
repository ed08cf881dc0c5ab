"""What `sweep run`, `resume` and `retry` share: a submission is run, and the command ends."""

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.console import rich_console
from cli.formats import Format, notes_aside
from cli.images import Fingerprinter
from cli.planned import origin
from cli.progress import working
from cli.run_report import interruptible, report
from orchestrate.mirrors.targets import Targets
from orchestrate.running.backend import Backend
from orchestrate.statuses import Status
from results.text import counted

if TYPE_CHECKING:
    from orchestrate.planning.resources import Resources, Room, Share
    from orchestrate.planning.submission import Submission
    from orchestrate.running.status import TrialStatus
    from orchestrate.running.stopping import RunEnd
    from results.store.store import Store

MaxFailuresOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Stop the run as soon as N stages have failed in it; default: go on.",
    ),
]
MaxAttemptsOption = Annotated[
    int | None, typer.Option(min=1, help="Replaces resources.max_attempts of the sweep.")
]


@dataclass(frozen=True)
class RunOptions:
    """How a submission is run, see `orchestrate.running.runner.run_sweep`."""

    backend: Backend
    address: str | None
    max_failures: int | None
    retry: Collection[str] = ()
    targets: Targets = field(default_factory=Targets)
    """Where the sweep is shown besides."""

    def __str__(self) -> str:
        """The options as a user writes them, apart from what the command itself says."""
        return "".join(
            [
                f" --backend {self.backend}" if self.backend is not Backend.RAY else "",
                f" --address {self.address}" if self.address else "",
                f" --max-failures {self.max_failures}" if self.max_failures else "",
                str(self.targets),
            ]
        )


def check_options(backend: Backend, address: str | None, targets: Targets) -> None:
    """Refuse options that cannot be used, before anything is planned.

    Raises:
        ClusterError: If there is a cluster, and nothing would use it.
        MirrorError: If the sweep cannot be shown as asked.
    """
    targets.check()
    from orchestrate.errors import ClusterError

    if backend is Backend.PROCESS and address is not None:
        raise ClusterError(
            f"--backend process computes on this machine, and --address (={address}) names a Ray "
            "cluster: leave out one of them."
        )


def run_submission(
    store: "Store", submission: "Submission", options: RunOptions, again: str, format_: Format
) -> NoReturn:
    """Run what is unfinished, print what came of it, and end the command.

    Args:
        store: Where results are.
        submission: What to run.
        options: How.
        again: The command that continues, without --store and `options`.
        format_: Of what is printed at the end.
    """
    again += f" --store {shlex.quote(str(store.root))}{options}"
    with notes_aside(format_):
        end = _advance(store, submission, options, again)
    report(store, submission, end, again, format_)


def _advance(store: "Store", submission: "Submission", options: RunOptions, again: str) -> "RunEnd":
    from cli.live import live_view
    from orchestrate.planning.resources import this_machine
    from orchestrate.running.status import sweep_status
    from orchestrate.running.stopping import RunEnd

    statuses = sweep_status(store, submission.trials)
    print(summary(submission.sweep, statuses))
    console = rich_console()

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    shown = _shown(store, submission, options.targets, say)
    if all(status.finished for status in statuses):
        with interruptible(f"`{again}`"), shown:
            return RunEnd(statuses)  # Importing torch and Ray would take seconds.
    store.check_writable()  # Before Ray starts: its workers would find out one by one.
    if options.address is None:
        print(resources_line(submission.resources, this_machine()))

    with interruptible(f"`{again}`"), live_view(store, submission, console), shown:
        from orchestrate.running.runner import run_sweep

        return run_sweep(
            store,
            submission,
            backend=options.backend,
            address=options.address,
            retry=options.retry,
            max_failures=options.max_failures,
            say=say,
        )


def _shown(
    store: "Store", submission: "Submission", targets: Targets, say: Callable[[str], None]
) -> AbstractContextManager[None]:
    """For a block in which the sweep runs: it is shown at the targets, too."""
    if not targets:
        return nullcontext()
    from orchestrate.mirrors.following import mirrored

    with working("opening what shows the sweep"):
        mirrors = targets.open()
    return mirrored(store, submission, mirrors, say)


def with_max_attempts(submission: "Submission", max_attempts: int | None) -> "Submission":
    """The same submission with other resources.max_attempts; None: with its own."""
    if max_attempts is None:
        return submission
    resources = submission.resources.model_copy(update={"max_attempts": max_attempts})
    return replace(submission, resources=resources)


def with_current_images(store: "Store", submission: "Submission") -> "Submission":
    """Write the rows of a submission; if images have changed, plan it again with the new ones."""
    from orchestrate.planning import images
    from orchestrate.planning.submission import submit, write_trials
    from orchestrate.running.status import sweep_status

    write_trials(store, submission)
    if all(status.finished for status in sweep_status(store, submission.trials)):
        return submission
    trials = images.with_current_images(submission.trials, Fingerprinter(store.root).identify)
    if trials == submission.trials:
        return submission
    print(
        f"{submission.sweep}: images, or how this version identifies them, have changed since it "
        "was planned, so it is planned again with the new ones."
    )
    of_it = origin(submission.origin.sweep_file)
    return submit(store, submission.sweep, trials, submission.resources, of_it)


def newest_submission(store: "Store", sweep: str) -> "Submission":
    """The newest submission of a sweep, which is named or given as a TOML file."""
    from orchestrate.planning.submission import load_submission
    from orchestrate.planning.sweep_file import load_sweep

    name = load_sweep(sweep).name if sweep.endswith(".toml") else sweep
    return load_submission(store, name)


def summary(name: str, statuses: "Sequence[TrialStatus | None]") -> str:
    """How many trials a sweep has, in which states; None stands for pending."""
    counts = Counter(status.status if status else Status.PENDING for status in statuses)
    states = ", ".join(f"{n} {word}" for word, n in counts.items())
    return f"{name}: {counted(len(statuses), 'trial')}: {states}"


def room_here(resources: "Resources", machine: dict[str, float]) -> "Room":
    """What stages get on this machine."""
    from orchestrate.planning.resources import Room, stage_shares

    return Room([machine], stage_shares(resources, [machine]), resources.max_concurrent)


def resources_line(resources: "Resources", machine: dict[str, float]) -> str:
    """What stages get on this machine, in one sentence."""
    room = room_here(resources, machine)
    texts = {kind: _share_text(share, room.at_once[kind]) for kind, share in room.shares.items()}
    if len(set(texts.values())) == 1:
        return f"Each trial gets {texts['search']} on this machine."
    return f"On this machine a search gets {texts['search']}; a retraining {texts['retrain']}."


def _share_text(share: "Share", at_once: int) -> str:
    gpus = f", {share.gpus:g} GPU" if share.gpus else ""
    return f"{share.cpus} CPU{gpus}; {at_once} at a time"
