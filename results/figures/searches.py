"""Which searches a figure shows, and in which groups: searches that differ in seeds alone.

A group of trials is not a group of searches: trials that are retrained in two ways share their
searches. So searches are grouped by their own settings, wherever they were planned.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.kind import Options
from results.query.configs import searched, stages_of
from results.query.labels import distinct_labels
from results.query.positions import space_of

if TYPE_CHECKING:
    import pandas as pd

    from results.query.planned import Row
    from results.query.tables import Tables

COLUMNS = (
    "search_key",
    "group_number",
    "group_label",
    "search_seed",
    "relaxation",
    "zero_one_weight",
    "space",
    "num_layers",
    "derive_key",
)
NOTE = "note"
"""In `DataFrame.attrs`: a sentence below the figure about what it leaves out."""
MAX_GROUPS = 40
"""A figure with a panel a group shows at most this many."""


def searches(
    tables: "Tables", options: Options, max_groups: int = MAX_GROUPS
) -> tuple["pd.DataFrame", str]:
    """Find the searches of a figure.

    Args:
        tables: Where the trials are.
        options: May name one trial.
        max_groups: Groups to return, in the order of the plan.
    Returns:
        A row for each search, with `COLUMNS`; groups are numbered from 0, and of a search with
        several derivations it has the first. And a sentence that says
        which groups are left out; empty: none.
    Raises:
        QueryError: If there is none.
    """
    import pandas as pd

    settings_of: dict[Any, tuple[str, dict[str, Any]] | None] = {}  # Parsed once for each group.
    groups: dict[str, list[dict[str, Any]]] = {}
    labels: dict[str, list[str]] = {}
    found: set[str] = set()
    for trial in _trials(tables, options):
        key = trial["search_key"]
        if key is None:
            continue
        id_ = trial["group_id"] or trial["trial_id"]
        if id_ not in settings_of:
            settings_of[id_] = _settings(trial["config_json"])
        if (settings := settings_of[id_]) is None:
            continue
        identity, columns = settings
        if trial["group_label"] not in labels.setdefault(identity, []):
            labels[identity].append(trial["group_label"])
        if key not in found:
            found.add(key)
            of_trial = {name: trial[name] for name in ("search_key", "search_seed", "derive_key")}
            groups.setdefault(identity, []).append(of_trial | columns)
    if not groups:
        unknown = " with known settings" if any(t["search_key"] for t in tables.planned) else ""
        raise QueryError(f"these trials have no search{unknown}, so there is nothing to draw.")
    names = distinct_labels([(_common(labels[one]), one) for one in groups])
    rows = [
        {"group_number": number, "group_label": name} | row
        for number, (name, group) in enumerate(zip(names, groups.values(), strict=True))
        for row in group
        if number < max_groups
    ]
    left_out = len(groups) - max_groups
    note = f"The first {max_groups} of {len(groups)} groups: --where chooses others."
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    seeds = frame[["search_seed", "num_layers"]].astype("Int64")
    return frame.assign(**{str(name): seeds[name] for name in seeds}), note * (left_out > 0)


def _trials(tables: "Tables", options: Options) -> Sequence["Row"]:
    """The trials that the options leave."""
    if options.trial is None:
        return tables.planned
    wanted = options.trial.strip().lower()
    ids = ("trial_id", "search_key", "derive_key")
    chosen = [
        trial
        for trial in tables.planned
        if wanted and any((trial[name] or "").startswith(wanted) for name in ids)
    ]
    if not chosen:
        raise QueryError(
            f"--trial (={options.trial!r}) is not the id of one of these trials, or its first "
            "digits; `fairdarts show SWEEP` prints ids."
        )
    stages = {trial["search_key"] or trial["trial_id"] for trial in chosen}
    if len(stages) > 1:
        raise QueryError(
            f"--trial (={options.trial!r}) is the beginning of several ids, such as "
            f"{chosen[0]['trial_id']} and {chosen[-1]['trial_id']}: give more digits."
        )
    return chosen


LASTS = """
    SELECT search_key, max(epoch) AS last_epoch FROM epochs JOIN searches ON search_key = stage_key
    WHERE kind = 'search' GROUP BY search_key
"""


def reaching(tables: "Tables", found: "pd.DataFrame", alike: bool = False) -> "pd.DataFrame":
    """The searches that got far enough to be averaged, so that no mean jumps where some ended.

    Args:
        tables: Where the epochs are.
        found: What `searches` returns.
        alike: Hold all groups to the same epoch, because they are compared at it.
    Returns:
        Of each group the searches that reached the last epoch that half of them reached, with
        `last_epoch`, which is that one, and `num_begun`, the searches of the group that have an
        epoch at all.
    Raises:
        QueryError: If there is none.
    """
    from results.query.sql import arrow, query

    lasts = query(tables, LASTS, beside={"searches": arrow(found)}).to_pandas()
    begun = found.merge(lasts, on="search_key")
    if begun.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    groups = begun.groupby([0] * len(begun) if alike else "group_number")["last_epoch"]
    half = groups.transform(lambda last: last.sort_values().iloc[len(last) // 2])
    sizes = begun.groupby("group_number")["search_key"].transform("size")
    begun = begun.assign(num_begun=sizes, reached=begun["last_epoch"] >= half, last_epoch=half)
    return begun[begun["reached"]].drop(columns="reached")


def num_of(num_searches: int, num_begun: int) -> str:
    """How many searches a mean is of."""
    less = f" of {num_begun}" if num_searches < num_begun else ""
    return f" (n = {num_searches}{less})"


def only_trial(tables: "Tables", options: Options) -> "Tables":
    """The one trial that the options name; all, if they name none.

    Raises:
        QueryError: If there is no such trial, or several begin so.
    """
    if options.trial is None:
        return tables
    names = {(trial["sweep"], trial["trial_id"]) for trial in _trials(tables, options)}
    return tables.of_trials(names)


def _settings(config_json: str | None) -> tuple[str, dict[str, Any]] | None:
    """The settings of a search without its seed, as text, and the columns made of them."""
    stages = stages_of(config_json)
    search, space = searched(stages), space_of(stages)
    if search is None or space is None:
        return None
    stage = next(stage for stage in stages if stage["kind"] == "search")
    sections = {
        name: {key: value for key, value in section.items() if key != "seed"}
        for name, section in stage["config"].items()
    }
    columns = {
        "relaxation": search.get("relaxation", "sigmoid"),
        "zero_one_weight": search.get("zero_one_weight"),
        "space": space[0],
        "num_layers": space[1],
    }
    return json.dumps(sections, sort_keys=True), columns


def _common(labels: Sequence[str]) -> str:
    """The words that all labels of a search have: what differs is how it was retrained."""
    first, *others = (label.split(" ") for label in labels)
    return " ".join(word for word in first if all(word in other for other in others)) or labels[0]
