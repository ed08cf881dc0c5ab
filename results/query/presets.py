"""Tables of the paper, made of the trials of a store, beside the numbers that the paper prints.

A preset chooses trials of all sweeps together, because the paper's experiments are sweeps of their
own here. The printed numbers are rows at the end of a table, marked by their `source`. They are
added after everything is computed, so they enter no mean and no test.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.query.aggregate import COUNTS
from results.query.reference import reference

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_COLUMNS = ("source", "runs", "convention", "test_top5_pct", "search_gpu_days")
"""Columns of printed rows that rows of trials leave empty."""


@dataclass(frozen=True)
class Preset:
    """One table of the paper."""

    about: str
    where: str
    """Which trials it has: a condition in SQL on the table `outcomes`."""
    printed: tuple[str, ...] = ()
    """Which numbers of the paper stand beside them: sources, or `source: label`."""
    order: str | None = None
    """Column of `outcomes` that its rows are sorted by; None: as planned."""
    gates: bool = False
    """Whether it says how far gates came apart, which takes reading the epochs of searches."""


PRESETS = {
    "table1": Preset(
        "Table 1: networks found in S1",
        "space = 's1'",
        ("Table 1",),
    ),
    "table2": Preset(
        "Table 2: networks for ImageNet",
        "dataset LIKE 'imagenet%' OR space LIKE 's2%'",
        ("Table 2",),
    ),
    "table3": Preset(
        "Table 3: random networks with two skips, and noise on skips",
        "space = 's1' AND method IN ('random', 'darts', 'darts-skip-noise', 'fairdarts')",
        ("Table 3", "Section 6.1: DARTS", "Table 1: FairDARTS"),
    ),
    "w01": Preset(
        "Figure 8, right: the weight of the zero-one loss",
        "space = 's1' AND method = 'fairdarts'",
        order="zero_one_weight",
        gates=True,
    ),
    "loss-ablation": Preset(
        "Section 6.2: Fair DARTS with and without the zero-one loss, and with its L1 form",
        "space = 's1' AND method = 'fairdarts' AND zero_one_weight IN (0, 10)",
        ("Section 6.1: FairDARTS", "Section 6.2", "Table 1: FairDARTS"),
        gates=True,
    ),
    "cures": Preset(
        "Sections 6.1 and 6.3: what keeps skips from gathering",
        "space IN ('s1', 's1_no_skip') AND (method = 'fairdarts' OR method LIKE 'darts%')",
        (
            "Section 6.1",
            "Table 3: DARTS + Gaussian noise on skips",
            "Supplementary Section 4.2",
            "Table 1: P-DARTS",
            "Table 1: RDARTS",
        ),
        gates=True,
    ),
}


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        QueryError: If there is none.
    """
    if name not in PRESETS:
        raise QueryError(f"--preset (={name!r}) must be one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def add_printed(aggregated: "pd.DataFrame", chosen: Preset) -> "pd.DataFrame":
    """Add the paper's numbers as rows at the end.

    Args:
        aggregated: What `results.query.aggregate.aggregate` returns.
        chosen: Which numbers to add.
    """
    import pandas as pd

    rows = [
        _printed(one)
        for one in reference().to_pylist()
        if {one["source"], f"{one['source']}: {one['label']}"} & set(chosen.printed)
    ]
    if not rows:
        return aggregated
    # As objects, so that a number that is not printed stays missing instead of becoming NaN.
    measured = aggregated.astype(object).assign(**dict.fromkeys(REFERENCE_COLUMNS))
    return pd.concat([measured, pd.DataFrame(rows, dtype=object)], ignore_index=True)


def _printed(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "sweep": "paper",
        "group_id": "",
        "group_label": one["label"],
        "method": one["method"],
        "space": one["space"],
        "dataset": one["dataset"],
        "n": one["num_runs"],
        "top1_pct_mean": one["test_top1_pct"],
        "top1_pct_std": one["spread_pct"],
        "params_m_mean": one["params_m"],
        "params_m_std": one["params_spread_m"],
        "multadds_m_mean": one["multadds_m"],
        "multadds_m_std": one["multadds_spread_m"],
        **{name: one[name] for name in REFERENCE_COLUMNS},
        "source": f"arXiv:1911.12126, {one['source']}",
        **dict.fromkeys(("planned", *COUNTS.values()), 0),
        "complete": True,
        "notes": (),
    }
