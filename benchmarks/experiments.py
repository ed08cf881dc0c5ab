"""Put what the stored small-scale experiments measured into the page about them.

python -m benchmarks.experiments STORE docs/experiments.md

A block is a comment with its name on a line of its own, its table the code block below it.
Shapes: T epochs, E edges of a cell, O operations of an edge.
"""

import math
import re
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measures import (
    Gates,
    dominant_skips,
    half_polarised_at,
    histogram,
    mass,
    num_turned,
    polarised,
    ranked,
    settled_at,
)
from benchmarks.timing import table
from fairdarts.genotype.cell_cost import cell_network_cost
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.genotype.dominance import DOMINANT_GATE
from fairdarts.spaces import CELL_KINDS, S1, SKIP, CellSpace, Space, get_space
from results.query.outcomes import trial_outcomes
from results.query.planned import STAGE_COLUMNS
from results.query.stats import mean_std_over_searches
from results.report.columns import NOTHING, mean_std
from results.statuses import TrialOutcome
from results.store.store import Store

Row = Mapping[Hashable, Any]

SCALE = "small"
BLOCK = re.compile(r"^<!-- ([\w-]+) -->\n```\n(.*?)```$", re.MULTILINE | re.DOTALL)
SELECTED = 0.85
"""Lowest gate that FairDARTS derives (paper Section 5.1)."""


@dataclass(frozen=True)
class Trial:
    """One trial that ended with a genotype, valid or not."""

    outcome: Row
    """Its row of `trial_outcomes`."""
    space: Space
    gates: Gates
    """Shape (T, 2, E, O), in S2 (T, N); T = 0: not searched."""
    num_dominant_skip: list[int]
    """After each epoch, in both cells or all layers."""
    epoch: int | None
    """Whose alphas were derived from, from 0; None: not searched."""

    @property
    def origin(self) -> str:
        """Key of what its genotype comes from: a search or a sample."""
        search, sample = self.outcome["search_key"], self.outcome["sample_key"]
        return str(sample if pd.isna(search) else search)

    @property
    def cells(self) -> CellSpace:
        """`space` of a trial in S1."""
        assert isinstance(self.space, CellSpace)
        return self.space

    @property
    def flat(self) -> Gates:
        """Gates of both cells in one row an epoch, shape (T, N)."""
        return self.gates.reshape(len(self.gates), -1)

    @property
    def chosen_epoch(self) -> int:
        """`epoch` of a trial that was searched."""
        assert self.epoch is not None
        return self.epoch

    @property
    def chosen(self) -> Gates:
        """Gates that were derived from, shape (2, E, O), in S2 (N,)."""
        gates: Gates = self.gates[self.chosen_epoch]
        return gates


Measure = Callable[[Trial], float | None]
"""None: there is no such number, as of a top-1 without a network."""


def _column(name: str, trial: Trial) -> float | None:
    value = trial.outcome[name]
    return None if pd.isna(value) else float(value)


def _epoch(when: str, trial: Trial) -> int:
    last = len(trial.gates) - 1
    return {"first": 0, "middle": last // 2, "last": last}[when]


def _all_dominant_skips(when: str, trial: Trial) -> float:
    return trial.num_dominant_skip[_epoch(when, trial)]


def _dominant_skips(kind: str, when: str, trial: Trial) -> float:
    epoch = _epoch(when, trial)
    return dominant_skips(trial.gates[epoch], trial.cells)[kind]


def _mass(kind: str, operation: str, trial: Trial) -> float | None:
    operations = trial.cells.operations
    if operation not in operations:
        return None
    cell = trial.chosen[CELL_KINDS.index(kind)]
    return float(mass(cell)[operations.index(operation)])


def _largest_mass(kind: str, trial: Trial) -> float:
    return float(mass(trial.chosen[CELL_KINDS.index(kind)]).max())


def _rank(rank: int, trial: Trial) -> float:
    return float(ranked(trial.chosen)[rank])


def _above(threshold: float, trial: Trial) -> float:
    return int((trial.chosen > threshold).sum())


def _in_bin(number: int, trial: Trial) -> float:
    return int(histogram(trial.chosen)[number])


def _paper_cost(count: str, trial: Trial) -> float | None:
    if trial.outcome["outcome"] == TrialOutcome.INVALID:
        return None
    cost = cell_network_cost(Genotype.from_json(trial.outcome["genotype_json"]))
    return float(getattr(cost, count)) / 1e6


TOP1: dict[str, Measure] = {"top-1 (%)": partial(_column, "test_top1_pct")}
GENOTYPE_SKIPS: dict[str, Measure] = {
    f"skips, {kind} cell": partial(_column, f"num_skips_{kind}") for kind in CELL_KINDS
}
DOMINANT_SKIPS: dict[str, Measure] = {
    f"dominant skips of 8, {kind} cell, {when} epoch": partial(_dominant_skips, kind, when)
    for kind in CELL_KINDS
    for when in ("first", "middle", "last")
}
SKIP_MASS: dict[str, Measure] = {
    f"mass of skips, {kind} cell": partial(_mass, kind, SKIP) for kind in CELL_KINDS
}
MASSES: dict[str, Measure] = {
    f"mass of {operation}, {kind} cell": partial(_mass, kind, operation)
    for kind in CELL_KINDS
    for operation in S1.operations
} | {f"largest mass, {kind} cell": partial(_largest_mass, kind) for kind in CELL_KINDS}
RANKS: dict[str, Measure] = {
    "largest value of an edge": partial(_rank, 0),
    "second largest": partial(_rank, 1),
    "smallest": partial(_rank, -1),
}
GATES: dict[str, Measure] = {
    "within 0.1 of 0 or 1 (%)": lambda trial: 100 * polarised(trial.chosen),
    "gates above 0.75": partial(_above, DOMINANT_GATE),
    "gates above 0.85": partial(_above, SELECTED),
    "smallest gate": lambda trial: float(trial.chosen.min()),
    "largest gate": lambda trial: float(trial.chosen.max()),
}
BINS: dict[str, Measure] = {
    f"gates from {number / 10} to {(number + 1) / 10}": partial(_in_bin, number)
    for number in range(10)
}
DECISIONS: dict[str, Measure] = {
    "a gate stays on its side from epoch": lambda trial: float(settled_at(trial.flat).mean()),
    "half are within 0.1 of 0 or 1 at epoch": lambda trial: half_polarised_at(trial.flat),
    "gates that turned": lambda trial: num_turned(trial.flat),
}
COSTS: dict[str, Measure] = {
    "params at C = 36, 20 cells (M)": partial(_paper_cost, "params_with_auxiliary"),
    "MultAdds at C = 36, 20 cells (M)": partial(_paper_cost, "multadds"),
}
ALL_DOMINANT_SKIPS: dict[str, Measure] = {
    "dominant skips, both cells": lambda trial: trial.num_dominant_skip[trial.chosen_epoch],
}
CHOSEN_EPOCH: dict[str, Measure] = {"chosen epoch": lambda trial: trial.chosen_epoch + 1}


@dataclass(frozen=True)
class Block:
    """One table of the page: measures of experiments that are to be compared."""

    experiments: tuple[str, ...]
    measures: dict[str, Measure]
    groups_as_rows: bool = False
    """For many groups and few measures; else they are columns."""


LAYER_SKIPS: dict[str, Measure] = {
    f"dominant skips, {when} epoch": partial(_all_dominant_skips, when)
    for when in ("first", "middle", "last")
}
LAYERS: dict[str, Measure] = {
    "layers with a skip": partial(_column, "num_skips_layers"),
    "inverted bottlenecks": partial(_column, "num_blocks"),
    "layers without one": partial(_column, "num_removed_layers"),
}
SKIPS = DOMINANT_SKIPS | GENOTYPE_SKIPS | SKIP_MASS
BLOCKS = {
    "exp01": Block(("exp01",), SKIPS | RANKS | TOP1),
    "exp02": Block(("exp02", "exp08"), LAYER_SKIPS | LAYERS | GATES | TOP1),
    "exp03": Block(("exp05", "exp03"), GATES | BINS | TOP1),
    "exp04": Block(("exp04",), GATES | TOP1, groups_as_rows=True),
    "exp05": Block(("exp05",), GATES | ALL_DOMINANT_SKIPS | GENOTYPE_SKIPS | COSTS | TOP1),
    "exp06": Block(("exp05", "exp06"), DECISIONS | GATES | TOP1),
    "exp07": Block(("exp05", "exp07"), DECISIONS | GATES | TOP1),
    "exp09": Block(("exp01", "exp09"), MASSES | RANKS | TOP1),
    "exp10": Block(("exp10", "exp11", "exp01", "exp05"), GENOTYPE_SKIPS | COSTS | TOP1),
    "exp12": Block(("exp01", "exp12"), SKIPS | TOP1),
    "exp13": Block(("exp01", "exp13"), RANKS | SKIPS | TOP1),
    "cures": Block(
        ("cures",), GENOTYPE_SKIPS | ALL_DOMINANT_SKIPS | CHOSEN_EPOCH | TOP1, groups_as_rows=True
    ),
}


def load_trial(store: Store, outcome: Row) -> Trial:
    """A trial that ended with a genotype.

    Args:
        store: Where it is stored.
        outcome: Its row of `trial_outcomes`.
    """
    keys = {name: [] if pd.isna(outcome[name]) else [outcome[name]] for name in STAGE_COLUMNS}
    columns = ["epoch", "gates", "num_dominant_skip"]
    epochs = store.read("epochs", keys["search_key"], columns).sort_by("epoch").to_pydict()
    genotypes = store.read("genotypes", keys["derive_key"], ["epoch"]).to_pydict()
    space = get_space(outcome["space"])
    shape: tuple[int, ...] = (-1,)
    if isinstance(space, CellSpace):
        shape = (len(CELL_KINDS), len(space.edges), len(space.operations))
    return Trial(
        outcome=outcome,
        space=space,
        gates=np.array(epochs["gates"], np.float64).reshape(len(epochs["gates"]), *shape),
        num_dominant_skip=epochs["num_dominant_skip"],
        epoch=next(iter(genotypes["epoch"]), None),
    )


def _summary(trials: list[Trial], measure: Measure) -> str:
    """Mean ± sample standard deviation over searches; n where some have no such number."""
    values = [(measure(trial), trial.origin) for trial in trials]
    known = [(value, origin) for value, origin in values if value is not None]
    n, mean, std = mean_std_over_searches(
        [value for value, _ in known], [origin for _, origin in known]
    )
    if mean is None:
        return NOTHING
    text = mean_std(mean, math.nan if std is None else std, decimals=2)
    return text + (f" (n={n})" if len(known) < len(values) else "")


def render(block: Block, store: Store) -> str:
    """The table of a block, a column or a row for each group of trials that differ in seeds."""
    groups: list[tuple[str, ...]] = [("", "finished/planned", *block.measures)]
    notes = []
    for experiment in block.experiments:
        sweep = f"{experiment}-{SCALE}"
        if sweep not in store.sweep_names():
            notes.append(f"{experiment}: not run yet")
            continue
        for _, planned in trial_outcomes(store, [sweep]).groupby("group_id", sort=False):
            ended = planned[planned["outcome"].isin([TrialOutcome.OK, TrialOutcome.INVALID])]
            trials = [load_trial(store, outcome) for outcome in ended.to_dict("records")]
            groups.append(
                (
                    f"{experiment} {planned['group_label'].iloc[0]}",
                    f"{len(ended)}/{len(planned)}",
                    *(_summary(trials, measure) for measure in block.measures.values()),
                )
            )
    tables = [table(groups if block.groups_as_rows else list(zip(*groups, strict=True)))]
    return "\n".join([*(tables if len(groups) > 1 else []), *notes])


def remake(page: str, store: Store) -> str:
    """The page with its tables made anew; text outside of blocks stays.

    Raises:
        ValueError: If the page has a block that is not in `BLOCKS`.
    """

    def remade(block: re.Match[str]) -> str:
        name = block[1]
        if name not in BLOCKS:
            raise ValueError(f"The page has a block {name!r}; there are only {', '.join(BLOCKS)}.")
        return f"<!-- {name} -->\n```\n{render(BLOCKS[name], store)}\n```"

    return BLOCK.sub(remade, page)


def main() -> None:
    """Remake the page of the second argument from the store of the first."""
    store, page = Store.open(sys.argv[1]), Path(sys.argv[2])
    page.write_text(remake(page.read_text("utf-8"), store), "utf-8")


if __name__ == "__main__":
    main()
