"""`fairdarts search` and `fairdarts retrain`: one run in this process, without Ray.

They run the same stages as a sweep, in the same store. So they resume in the same way, and a sweep
that needs the same search does not run it again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import rich_console
from cli.formats import Format, FormatOption, notes_aside, print_json
from cli.genotypes import GenotypeArgument, genotype_row, read_genotype
from cli.images import Fingerprinter
from cli.options import DEFAULT_STORE, ScaleOption, SetOption, StoreOption
from cli.planned import checked, origin
from cli.run_report import interruptible, print_table
from fairdarts.presets import METHODS
from orchestrate.statuses import Status

if TYPE_CHECKING:
    from orchestrate.planning.plan import TrialSpec
    from orchestrate.running.status import TrialStatus
    from results.store.store import Store

Given = dict[str, tuple[str, Any]]
"""Settings that options of their own set: full name to the option and the value."""
Assignments = dict[str, tuple[str, Any]]
"""Settings that `--set` sets: full name to the name as the user wrote it, and the value."""
DataOption = Annotated[
    str,
    typer.Option(
        metavar="SOURCE", help="digits, cifar10, cifar100, imagenet, parquet:DIR or folder:DIR."
    ),
]
SeedOption = Annotated[int, typer.Option(help="Seed for all random numbers.")]
ANY_NUMBER = 10**6
ThreadsOption = Annotated[int, typer.Option(help="Number of CPU threads.", min=1)]


def search(
    method: Annotated[
        str, typer.Option(metavar="NAME", help=f"One of {', '.join(METHODS)}.")
    ] = "fairdarts",
    data: DataOption = "digits",
    seed: SeedOption = 0,
    scale: ScaleOption = "paper",
    set_: SetOption = None,
    threads: ThreadsOption = 1,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Search once and print the genotype.

    Runs in this process, without Ray. The result is kept in the store, and a sweep that needs the
    same search does not run it again. After an interrupt, the same command continues. As JSON: what
    `fairdarts show` prints of the trial; progress then goes to stderr.

    Examples:

    \b
        fairdarts search --set num_train=200 --set search.epochs=2
        fairdarts search --method darts --data cifar10 --seed 1
    """
    from orchestrate.planning.plan import search_only_trial
    from orchestrate.planning.settings import resolve

    given = {"data.source": ("--data", data), "seed": ("--seed", seed)}
    assignments = _assignments(set_, given, ("data", "search", "derive"), "a search")
    with _as_written(assignments, given):
        sections = resolve(method, _layers(method, scale, given, assignments))
    trial = search_only_trial(method, sections, {"seed": seed}, Fingerprinter(store).identify)
    checked([trial])
    results = _run("search", trial, threads, format_, store)
    if format_ is Format.TEXT:
        print(genotype_row(results, trial.stages[-1].key)["genotype_json"])


def retrain(
    genotype: GenotypeArgument,
    data: DataOption = "digits",
    seed: SeedOption = 0,
    scale: ScaleOption = "paper",
    set_: SetOption = None,
    threads: ThreadsOption = 1,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Train one genotype from scratch.

    Runs in this process, without Ray. After an interrupt, the same command continues. As JSON: what
    `fairdarts show` prints of the trial; progress then goes to stderr.

    Examples:

    \b
        fairdarts retrain FairDARTS_a --set num_train=200 --set retrain.epochs=2
        fairdarts retrain mine.json --data cifar10 --set recipe=cifar-1600
    """
    from orchestrate.planning.plan import given_trial
    from orchestrate.planning.settings import resolve

    name, architecture = read_genotype(genotype, store)
    given = {"data.source": ("--data", data), "seed": ("--seed", seed)}
    assignments = _assignments(set_, given, ("data", "retrain"), "a retraining")
    with _as_written(assignments, given):
        layers = _layers("fairdarts", scale, given, assignments, architecture.space)
        sections = resolve("fairdarts", layers)
    trial = given_trial(name, architecture.to_dict(), sections, Fingerprinter(store).identify)
    checked([trial])
    results = _run("retrain", trial, threads, format_, store)
    if format_ is Format.TEXT:
        print_table(results, [_sweep_name("retrain", trial)])


def _assignments(
    texts: list[str] | None, given: Given, sections: tuple[str, ...], what: str
) -> Assignments:
    """What `--set` says, by full name.

    Raises:
        SweepError: If it sets nothing that is used here, or what something else sets too.
    """
    from orchestrate.errors import SweepError
    from orchestrate.planning.settings import full_name, parse_assignment

    found: Assignments = {}
    for key, value in map(parse_assignment, texts or []):
        name = full_name(key)
        section = name.partition(".")[0]
        option = given.get("seed" if name.endswith(".seed") else name)
        if section not in (*sections, "seed", "method"):
            raise SweepError(f"--set {key} changes nothing in {what}: leave it out.")
        if option is not None:
            raise SweepError(f"--set {key}: give it as {option[0]}.")
        if name in found:
            raise SweepError(f"--set {key} is given twice: keep one of them.")
        found[name] = key, value
    return found


@contextmanager
def _as_written(assignments: Assignments, given: Given) -> Iterator[None]:
    """Inside, an error about a value names the option or the key that it was given by."""
    from fairdarts.errors import ConfigError

    options = {name: option for name, (option, _) in given.items()}
    options |= dict.fromkeys(("search.seed", "retrain.seed"), options["seed"])
    options |= {name: f"--set {key}" for name, (key, _) in assignments.items()}
    try:
        yield
    except ConfigError as error:
        if error.setting not in options:
            raise
        text = str(error).removeprefix(f"{error.setting} ")
        raise ConfigError(f"{options[error.setting]} {text}", error.setting) from None


def _layers(
    method: str,
    scale: str,
    given: Given,
    assignments: Assignments,
    space: str = "s1",
) -> list[dict[str, Any]]:
    from orchestrate.planning.scale import scale_named
    from orchestrate.planning.settings import recipe_of, space_of

    options = {name: value for name, (_, value) in given.items()}
    overrides = {name: value for name, (_, value) in assignments.items()}
    layers = [{"search.space": space} | options, overrides]
    return [scale_named(scale).layer(method, space_of(layers), recipe_of(layers)), *layers]


def _run(command: str, trial: "TrialSpec", threads: int, format_: Format, store: Path) -> "Store":
    """Run a trial. With JSON, also print its document."""
    from orchestrate.errors import SweepError
    from orchestrate.planning.resources import num_cpus
    from results.store.store import Store

    if threads > num_cpus():  # checked before anything is written
        raise SweepError(f"--threads (={threads}) is more than the {num_cpus()} CPU cores here.")
    results = Store.create(store)
    with notes_aside(format_):
        status = _advance(command, trial, threads, results)
    if format_ is Format.JSON:
        from cli.show_json import whole_trial

        print_json(whole_trial(results, status))
    if status.status != Status.DONE:
        raise typer.Exit(1)
    return results


def _advance(command: str, trial: "TrialSpec", threads: int, results: "Store") -> "TrialStatus":
    """Run a trial as far as it gets, and say why it has no result."""
    from cli.live import has_problem, live_view, problem_line
    from orchestrate.planning.resources import Resources
    from orchestrate.planning.submission import submit
    from orchestrate.running.status import trial_status

    # A user who calls this again wants another attempt, however many have failed.
    resources = Resources(cpus_per_trial=threads, max_attempts=ANY_NUMBER)
    submission = submit(results, _sweep_name(command, trial), [trial], resources, origin())

    status = trial_status(results, trial)
    if not status.finished:
        results.check_writable()
        with interruptible("the same command"), live_view(results, submission, rich_console()):
            from orchestrate.running.retry import EVERY_KIND
            from orchestrate.running.runner import run_here

            (status,) = run_here(results, submission, retry=EVERY_KIND)
    if has_problem(status):
        print(problem_line(status))
    elif status.status == Status.RUNNING:
        print(
            f"Nothing was done: another process ({status.state.holder}) computes this "
            f"{status.stage.kind} in {results.root}. `fairdarts show {trial.trial_id}` says "
            "how far it is; the same command prints the result once it is done."
        )
    return status


def _sweep_name(command: str, trial: "TrialSpec") -> str:
    return f"{command}-{trial.trial_id}"
