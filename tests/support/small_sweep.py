"""A small sweep in a store, written as the driver and its workers would."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from results.store.layout import live_name, plan_name
from results.store.store import Store

NUM_ALPHAS = 196
"""Of S1: 2 cells x 14 edges x 7 operations."""
_CELL = [
    {"op": "sep_conv_3x3", "from": 0, "to": 2},
    {"op": "skip_connect", "from": 1, "to": 2},
]
GENOTYPE = json.dumps({"normal": _CELL, "reduce": _CELL})


def key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Trial:
    """A planned trial of the method `label`; its keys follow from its seeds."""

    label: str
    seed: int
    retrain_seed: int = 0
    dataset: str = "cifar10"
    recipe: str | None = "cifar-600"
    settings: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    """Settings of the search that its label does not name."""

    @property
    def is_random(self) -> bool:
        return self.label.startswith("random")

    @property
    def search_key(self) -> str:
        return key("search", self.label, self.seed, *self.settings)

    @property
    def genotype_key(self) -> str:
        return key("genotype", self.label, self.seed, *self.settings)

    @property
    def retrain_key(self) -> str:
        return key("retrain", self, *self.settings)

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The settings of each stage, as the plan keeps them; only a few of them."""
        data = {"source": self.dataset}
        search = {"space": "s1", "relaxation": "sigmoid", "zero_one_weight": 10.0}
        search |= {"epochs": 2, "seed": self.seed, **dict(self.settings)}
        retrain = {"recipe": self.recipe, "seed": self.retrain_seed}
        searched = [
            {"kind": "search", "config": {"search": search, "data": data}},
            {"kind": "derive", "config": {"rule": "threshold", "space": "s1"}},
        ]
        sampled = [{"kind": "sample", "config": {"space": "s1", "seed": self.seed}}]
        retrained = [{"kind": "retrain", "config": {"retrain": retrain, "data": data}}]
        return (sampled if self.is_random else searched) + (retrained if self.recipe else [])

    def row(self, sweep: str, submission: int) -> dict[str, Any]:
        first = "sample" if self.is_random else "search"
        genotype = {"sample_key": self.genotype_key}
        if not self.is_random:
            genotype = {"search_key": self.search_key, "derive_key": self.genotype_key}
        return {
            "sweep": sweep,
            "submission": submission,
            "trial_id": self.retrain_key if self.recipe else self.genotype_key,
            "label": f"{self.label} seed={self.seed}",
            "group_id": key("group", self.label, self.dataset, self.recipe, *self.settings),
            "group_label": self.label,
            "method": self.label.split()[0],
            "space": "s1",
            "dataset": self.dataset,
            "recipe": self.recipe,
            "zero_one_weight": None if self.is_random else 10.0,
            f"{first}_seed": self.seed,
            "retrain_seed": self.retrain_seed if self.recipe else None,
            "retrain_key": self.retrain_key if self.recipe else None,
            "config_json": json.dumps(self.stages),
            "planned_at": datetime(2026, 1, 1, tzinfo=UTC),
            **genotype,
        }


def submit(store: Store, sweep: str, submission: int, trials: list[Trial]) -> None:
    store.sweep_dir(sweep).mkdir(parents=True, exist_ok=True)
    rows = [trial.row(sweep, submission) for trial in trials]
    store.write_rows("trials", plan_name(sweep, submission), rows)


def attempt(
    store: Store, stage_key: str, kind: str, status: str, number: int = 1, **columns: Any
) -> None:
    row = {"stage_key": stage_key, "attempt": number, "kind": kind, "status": status}
    began = datetime(2026, 1, 1, number, tzinfo=UTC)
    row |= {"started_at": began, "ended_at": began + timedelta(hours=1), "host": "node1", **columns}
    if status == "failed":
        row |= {"failure_kind": "oom", "error_type": "OutOfMemoryError", "error_message": "2 GiB"}
    store.write_rows("attempts", live_name(stage_key, number), [row])


def finish_search(store: Store, trial: Trial) -> None:
    rows = [
        {
            "stage_key": trial.search_key,
            "kind": "search",
            "epoch": epoch,
            "wall_s": 100.0 + epoch,
            "train_loss": 2.0 - epoch,
            "arch_loss": 2.2 - epoch,
            "arch_top1_pct": 50.0 + epoch + trial.seed,
            "alphas": [epoch + place / 1000 for place in range(NUM_ALPHAS)],
            "gates": [place / NUM_ALPHAS for place in range(NUM_ALPHAS)],
            "num_dominant": sum(place / NUM_ALPHAS > 0.75 for place in range(NUM_ALPHAS)),
            "num_dominant_skip": 7,
        }
        for epoch in range(2)
    ]
    store.write_rows("epochs", live_name(trial.search_key, 1), rows)
    attempt(store, trial.search_key, "search", "ok")


def finish_genotype(store: Store, trial: Trial, invalid_reason: str | None = None) -> None:
    row = {
        "stage_key": trial.genotype_key,
        "valid": invalid_reason is None,
        "invalid_reason": invalid_reason,
        "num_skips_normal": 2,
        "genotype_json": GENOTYPE,
    }
    store.write_rows("genotypes", live_name(trial.genotype_key, 1), [row])
    attempt(store, trial.genotype_key, "sample" if trial.is_random else "derive", "ok")


def finish_retrain(store: Store, trial: Trial, top1_pct: float, params: int = 3_000_000) -> None:
    row = {
        "stage_key": trial.retrain_key,
        "epochs": 600,
        "test_top1_pct": top1_pct,
        "best_test_top1_pct": top1_pct + 0.1,
        "params": params,
        "multadds": 150 * params,
        "wall_s": 5000.0,
    }
    store.write_rows("retrains", live_name(trial.retrain_key, 1), [row])
    attempt(store, trial.retrain_key, "retrain", "ok")


def finish(store: Store, trial: Trial, top1_pct: float, params: int = 3_000_000) -> None:
    """Everything a trial does, to its end."""
    if not trial.is_random:
        finish_search(store, trial)
    finish_genotype(store, trial)
    finish_retrain(store, trial, top1_pct, params)


def write_example(store: Store) -> None:
    """Five planned FairDARTS trials, three of them ok, and one random genotype."""
    searched = [Trial("fairdarts w=10", seed) for seed in range(5)]
    sampled = Trial("random M=2", 0)
    submit(store, "exp", 1, [*searched, sampled])
    for trial, top1_pct, params in zip(
        searched, [97.0, 97.2, 97.7], [2_900_000, 3_000_000, 3_400_000], strict=False
    ):
        finish(store, trial, top1_pct, params)
    finish(store, sampled, 96.5)
    attempt(store, searched[3].search_key, "search", "failed")
