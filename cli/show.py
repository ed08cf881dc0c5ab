"""`fairdarts show`: what an id or a sweep is, and which commands take it."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cli.formats import Format, FormatOption, print_json
from cli.options import DEFAULT_STORE, StoreOption
from results.text import counted

if TYPE_CHECKING:
    from orchestrate.planning.plan import StageSpec, TrialSpec
    from results.store.store import Store

MAX_TRIALS = 50
"""At most this many trials of a sweep or group are listed."""
WIDTH = 14
"""Width of the first column, which has the titles."""
Line = tuple[str, str]
"""Title and text."""


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Id of a trial, group or stage, or its first digits; or the name of a sweep that "
            "was run.",
        ),
    ],
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Show what an id is, and which commands take it.

    Prints its settings, state, results and files. As JSON: what (sweep, group, trial or stage), and
    of a sweep what `sweep status` prints, command and folder; of a group group_id, group_label and
    trials as in `sweep status`; of a trial sweeps, the same as of a trial in `sweep status`,
    genotype, arch_top1_pct, test_top1_pct, params, multadds and stages; of a stage stage_key, kind,
    status, parent, settings, folder, these results, and trials (their ids).

    `fairdarts sweep plan` and `fairdarts show SWEEP` print ids. Every command that takes an id also
    takes its first digits, as long as only one id begins with them.

    Examples:

    \b
        fairdarts show quickstart
        fairdarts show 2ab0
        fairdarts show 2ab0 --format json
    """
    from orchestrate.running.lookup import planned_trials
    from results.query.ids import find_id, known_ids
    from results.store.store import Store

    opened = Store.open(store)
    if name in opened.sweep_names():
        id_, what = name, "sweep"
    else:
        id_ = find_id(opened, name)
        what = known_ids(opened, id_)[id_][0]
    planned = planned_trials(opened, id_)
    if format_ is Format.JSON:
        from cli.show_json import document

        print_json(document(opened, what, id_, planned))
        return
    trials = [known.trial for known in planned.values()]
    if what == "sweep":
        lines = _sweep(opened, id_)
    elif what == "trial":
        lines = _trial(opened, planned[id_].trial, planned[id_].sweeps)
    elif what == "group":
        lines = _group(opened, id_, trials)
    else:
        lines = _stage(opened, id_, trials)
    for title, text in lines:
        print(f"{title:<{WIDTH}}{text}".rstrip())


def _block(title: str, texts: Iterable[str]) -> Iterator[Line]:
    """Lines under one title, which only the first line shows."""
    for text in texts:
        yield title, text
        title = ""


def _sweep(store: "Store", name: str) -> Iterator[Line]:
    from orchestrate.planning.submission import load_submission

    submission = load_submission(store, name)
    yield "sweep", f"{name}, submission {submission.number} of {submission.planned_at}"
    if submission.origin.command:
        yield "submitted by", submission.origin.command
    yield from _trials(store, submission.trials)
    yield "files", str(store.sweep_dir(name))
    commands = ("sweep status", "sweep run", "sweep resume", "results table")
    yield from _block("commands", [f"fairdarts {command} {name}" for command in commands])


def _group(store: "Store", id_: str, trials: "list[TrialSpec]") -> Iterator[Line]:
    members = [trial for trial in trials if trial.group_id == id_]
    yield "group", f"{id_}  {members[0].group_label}, one row of `fairdarts results table`"
    yield "images", members[0].dataset
    yield from _trials(store, members)


def _trials(store: "Store", trials: "list[TrialSpec]") -> Iterator[Line]:
    from orchestrate.running.status import count, sweep_status

    statuses = sweep_status(store, trials)
    counts = ", ".join(f"{number} {status}" for status, number in count(statuses).items())
    yield "state", f"{counted(len(trials), 'trial')}: {counts}"
    lines = [f"{one.trial.trial_id}  {one.status:<8} {one.trial.label}" for one in statuses]
    if len(lines) > MAX_TRIALS:
        lines[MAX_TRIALS:] = [f"... and {len(lines) - MAX_TRIALS} more"]
    yield from _block("trials", lines)


def _trial(store: "Store", trial: "TrialSpec", sweeps: list[str]) -> Iterator[Line]:
    from cli.live import invalid_advice
    from orchestrate.running.lookup import stage_status
    from orchestrate.running.status import trial_status

    status = trial_status(store, trial)
    yield "trial", f"{trial.trial_id}  {trial.label}"
    yield "sweeps", ", ".join(sweeps)
    yield "group", f"{trial.group_id}  {trial.group_label}"
    yield "images", trial.dataset
    reason = f": {status.state.reason}" if status.state.reason else ""
    yield "state", f"{status.status}{reason}"
    if advice := invalid_advice(status):
        yield "", advice
    stages = [
        f"{stage.key}  {stage_status(store, stage):<8} {stage.kind}" for stage in trial.stages
    ]
    yield from _block("stages", stages)
    for stage in trial.stages:
        yield from _results(store, stage)
    for stage in trial.stages:
        yield from _settings(stage)
    folders = [store.stage_dir(stage.kind, stage.key) for stage in trial.stages]
    yield from _block("files", map(str, folders))
    yield from _commands(trial.trial_id, {stage.kind for stage in trial.stages})


def _stage(store: "Store", id_: str, trials: "list[TrialSpec]") -> Iterator[Line]:
    from orchestrate.running.lookup import stage_status, stored_stage

    users = [(trial, stage) for trial in trials for stage in trial.stages if stage.key == id_]
    stage = users[0][1] if users else stored_stage(store, id_)
    yield "stage", f"{id_}  {stage.kind}"
    yield "state", stage_status(store, stage)
    if stage.parent:
        yield "parent", f"{stage.parent}, the stage whose output it reads"
    yield from _block("trials", [f"{trial.trial_id}  {trial.label}" for trial, _ in users])
    yield from _results(store, stage)
    yield from _settings(stage)
    yield "files", str(store.stage_dir(stage.kind, stage.key))
    yield from _commands(id_, {stage.kind})


def _settings(stage: "StageSpec") -> Iterator[Line]:
    """Settings that differ from the defaults; the stage's SPEC.json has all of them."""
    from orchestrate.running.lookup import changed_settings

    changed = changed_settings(stage).items()
    yield from _block(f"{stage.kind} with", [f"{name} = {value}" for name, value in changed])


def _results(store: "Store", stage: "StageSpec") -> Iterator[Line]:
    from orchestrate.running.lookup import stage_results

    results = stage_results(store, stage)
    if "genotype_json" in results:
        yield "genotype", results["genotype_json"]
    if "test_top1_pct" in results:
        yield "test top-1", f"{results['test_top1_pct']:.2f} % at the last epoch"
        yield "params", f"{results['params']:,}"
        yield "MultAdds", f"{results['multadds']:,}"
    if "epochs_done" in results:
        num_epochs = stage.config["search"]["epochs"]
        yield "searched", f"{results['epochs_done']} of {num_epochs} epochs"
        if results["arch_top1_pct"] is not None:
            top1 = f"{results['arch_top1_pct']:.2f} %"
            yield "top-1", f"{top1} on the half that trains the alphas"


def _commands(id_: str, kinds: set[str]) -> Iterator[Line]:
    commands = [f"derive {id_}"] if "search" in kinds else []
    if kinds & {"derive", "sample", "given"}:
        commands += [f"arch show {id_}", f"arch draw {id_} -o FILE.svg", f"retrain {id_}"]
    if "retrain" in kinds:
        commands.append(f"arch export {id_} -o FILE.onnx")
    yield from _block("commands", [f"fairdarts {command}" for command in commands])
