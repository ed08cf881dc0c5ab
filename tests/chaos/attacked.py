"""The sweep that is attacked, and what must hold of it at the end."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sweep_rows import live_names, numbers
from tiny_sweeps import tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import Submission, submit
from orchestrate.running.status import count, sweep_status
from orchestrate.running.store_check import store_faults
from results.query.outcomes import trial_outcomes
from results.store.store import Store

SWEEP = "chaos"
SMALL = (
    "data.num_train=20",
    "data.num_test=10",
    "search.batch_size=10",
    "retrain.batch_size=10",
    "retrain.cutout=0",
)


@dataclass(frozen=True)
class Undisturbed:
    """Trials, and a store in which they have run without any trouble."""

    trials: list[TrialSpec]
    store: Store


def twenty_trials() -> list[TrialSpec]:
    """Trials that share two searches and three random genotypes; some train the same network."""
    matrix = {
        "method": ["fairdarts", "darts"],
        "retrain.seed": [0, 1],
        "retrain.epochs": [1, 2],
    }
    trials = tiny_trials(*SMALL, matrix=matrix, random=[{"models": 3}])
    assert len(trials) == 20
    return trials


def three_trials() -> list[TrialSpec]:
    """One search retrained twice, and a random genotype."""
    matrix = {"method": ["fairdarts"], "retrain.epochs": [1, 2]}
    trials = tiny_trials(*SMALL, "search.epochs=1", matrix=matrix, random=[{"models": 1}])
    return [trial for trial in trials if trial.method == "fairdarts"] + trials[-1:]


def submitted(root: Path, trials: list[TrialSpec], at_once: int | None = None) -> Store:
    """A new store in which a sweep of them is planned."""
    store = Store.create(root)
    submission(store, trials, at_once)
    return store


def submission(store: Store, trials: list[TrialSpec], at_once: int | None = None) -> Submission:
    return submit(store, SWEEP, trials, Resources(gpus_per_trial=0, max_concurrent=at_once))


def assert_as_if_nothing_had_happened(
    store: Store, whole: Undisturbed, *, attempts_are_known: bool = True
) -> None:
    """Every trial is there once, bit for bit as in an undisturbed run.

    Args:
        store: Of the sweep that was attacked.
        whole: The same trials, left alone.
        attempts_are_known: Whether nothing has damaged what was recorded about the attempts.
    """
    trials = whole.trials
    assert count(sweep_status(store, trials)) == {"done": len(trials)}
    assert numbers(store) == numbers(whole.store)
    outcomes = trial_outcomes(store, [SWEEP])
    assert sorted(outcomes["trial_id"]) == sorted(trial.trial_id for trial in trials)
    counts = Counter(outcomes["outcome"])
    assert sum(counts[word] for word in ("ok", "failed", "invalid", "unfinished")) == len(trials)
    assert counts["ok"] == len(trials)
    for table in ("epochs", "genotypes", "retrains"):
        names = live_names(store, table)
        assert len(names) == len(set(names)), f"{table}: rows of two attempts"
    hidden = [path for path in store.root.rglob(".*") if "lost+found" not in path.parts]
    assert hidden == [], "temporary files"
    assert list(store_faults(store)) == []
    if attempts_are_known:
        rows = store.read("attempts").to_pylist()
        ends = Counter((row["stage_key"], row["status"]) for row in rows)
        stages = {stage.key for trial in trials for stage in trial.stages}
        assert {key for key, status in ends if status == "ok"} == stages
        assert all(number == 1 for (_, status), number in ends.items() if status == "ok")
        assert {status for _, status in ends} <= {"ok", "lost"}
        assert all(row["started_at"] <= row["ended_at"] for row in rows)
