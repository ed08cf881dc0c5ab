"""Where the results come from: code, machines, seeds, plans, and how to make them again."""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from results.page.facts import Facts
from results.page.given import Plan
from results.page.grid import Cell, Grid, cell
from results.query.checklist import checklist

MAX_SEEDS = 24
"""More seeds of a method are counted instead."""


@dataclass(frozen=True)
class Origins:
    """Where the results come from."""

    software: Grid
    machines: Grid
    seeds: Grid
    plans: tuple[Plan, ...]
    checklist: Grid


@dataclass(frozen=True)
class Step:
    """A command and what it is for."""

    about: str
    command: str


def origins(facts: Facts) -> Origins:
    """What attempts and plans have on record."""
    attempts = [row for rows in facts.attempts.values() for row in rows]
    software = Counter(row["versions_json"] for row in attempts)
    columns = ("host", "device", "num_threads", "num_gpus")
    machines = Counter(tuple(row[name] for name in columns) for row in attempts)
    return Origins(
        _software(software),
        Grid(
            "Machines",
            ("Host", "Device", "CPU threads", "GPUs of a stage", "Attempts"),
            [[*map(cell, machine), cell(n)] for machine, n in machines.most_common()],
        ),
        _seeds(facts),
        facts.given.plans,
        _checklist(facts),
    )


def _software(found: Counter[str | None]) -> Grid:
    versions = [(json.loads(text) if text else {}, n) for text, n in found.most_common()]
    names = list(dict.fromkeys(name for known, _ in versions for name in known))
    rows = [[*(cell(known.get(name)) for name in names), cell(n)] for known, n in versions]
    dirty = any(str(known.get("commit", "")).endswith("-dirty") for known, _ in versions)
    notes = [
        "Code of a commit that ends in -dirty was edited after it: each attempt has the changes in "
        "the file uncommitted.diff beside its log."
    ]
    return Grid("Software", [*names, "Attempts"], rows, notes if dirty else ())


def _seeds(facts: Facts) -> Grid:
    columns = ("search_seed", "sample_seed", "sample_index", "retrain_seed")
    seeds: dict[tuple[str, str], tuple[str, defaultdict[str, dict[int, None]]]] = {}
    for trial in facts.trials:
        key = (trial["sweep"], trial["group_id"])
        _, of_group = seeds.setdefault(key, (trial["group_label"], defaultdict(dict)))
        for column in columns:
            if trial[column] is not None:
                of_group[column][trial[column]] = None
    rows = [
        [cell(label), *(_listed(of_group[column]) for column in columns)]
        for label, of_group in seeds.values()
    ]
    header = ("Method", "Search seeds", "Sample seeds", "Sample numbers", "Retrain seeds")
    return Grid("Seeds", header, rows)


def _listed(numbers: Iterable[int]) -> Cell:
    known = sorted(numbers)
    if len(known) > MAX_SEEDS:
        return Cell(f"{len(known):,} from {known[0]} to {known[-1]}")
    return Cell(", ".join(map(str, known)) or "-")


def _checklist(facts: Facts) -> Grid:
    rows = checklist(facts.tables).to_pylist()
    names = ("point", "answer", "evidence")
    return Grid(
        "What papers on architecture search are asked to report",
        ("Point", "Answer", "Evidence"),
        [[cell(row[name]) for name in names] for row in rows],
    )


def steps(facts: Facts) -> list[Step]:
    """Commands that make the results and this page again, or go deeper."""
    given, root = facts.given, shlex.quote(str(facts.tables.store.root))
    names = " ".join(facts.sweeps)
    commits = {
        str(json.loads(row["versions_json"]).get("commit", "")).removesuffix("-dirty")
        for rows in facts.attempts.values()
        for row in rows
        if row["versions_json"]
    } - {""}
    found = [
        Step("The store that the commands of this page read", f"export FAIRDARTS_STORE={root}")
    ]
    found += [Step("The code that computed it", f"git checkout {one}") for one in sorted(commits)]
    found += [
        Step(f"Plan and run {plan.sweep} (the sweep file is above)", plan.command)
        for plan in given.plans
        if plan.command
    ]
    found += [
        Step("The tables of this page", f"fairdarts results table {names}"),
        Step(
            "All rows as Parquet files",
            f"fairdarts results export --tables tables {names}",
        ),
        Step("Every attempt at a trial, with its log", "fairdarts sweep why TRIAL"),
        Step("This page", given.command),
    ]
    return found
