"""The dataset card of exported tables: the README.md of a repository on the Hugging Face hub.

Its first lines tell the hub and `datasets` which file is which table; the rest is for people.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from results.query.tables import Tables
from results.query.views import OUTCOMES, VIEWS
from results.report.dictionary import ABOUT, column_lines
from results.statuses import TrialOutcome
from results.text import clean_text

SIZES = {"n<1K": 1_000, "1K<n<10K": 10_000, "10K<n<100K": 100_000, "100K<n<1M": 1_000_000}
"""The hub's words for the number of rows of the largest table, which is below this."""
LARGEST = "1M<n<10M"
LICENSE = (
    "# Choose a license, e.g. `license: cc-by-4.0`: "
    "https://huggingface.co/docs/hub/repositories-licenses\n"
)
UNITS = (
    "Percentages run from 0 to 100, times are in seconds, timestamps are UTC. NaN is a measured "
    'value (a loss that diverged); null means "not measured". The unit 1 is a count, a ratio or '
    "text."
)
CITATION = """@inproceedings{chu2020fair,
  title     = {Fair {DARTS}: Eliminating Unfair Advantages in Differentiable Architecture Search},
  author    = {Chu, Xiangxiang and Zhou, Tianbao and Zhang, Bo and Li, Jixiang},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year      = {2020},
  note      = {arXiv:1911.12126}
}"""


def dataset_card(tables: Tables, num_rows: Mapping[str, int]) -> str:
    """The text of the card.

    Args:
        tables: What was exported.
        num_rows: Number of rows of each view.
    """
    outcomes = tables.read("outcomes").to_pylist()
    sweeps = sorted({row["sweep"] for row in outcomes})
    title = f"Fair DARTS architecture searches: {', '.join(sweeps)}"
    parts = [
        _front_matter(title, num_rows),
        f"# {title}",
        "Results of differentiable architecture searches (Fair DARTS, DARTS, random baselines): "
        "every planned trial with its genotype, accuracy and cost, and every epoch of every search "
        "and retraining, with all architecture parameters.",
        *tables.notes,
        "```python\nfrom datasets import load_dataset\n\n"
        'outcomes = load_dataset("FOLDER OR REPOSITORY", "outcomes", split="train")\n```',
        "`train` is only the name that `datasets` gives to a table that is not split.",
        "## How it was made",
        "\n".join(_sweep_lines(outcomes)),
        _software(tables),
        "A trial is a search, the genotype derived from it, and a retraining of the network from "
        "scratch. Accuracies are those on the test images after the last epoch; the best epoch, "
        "which is chosen on the test images, has a column of its own. Trials that failed, were "
        "invalid or are unfinished are rows, too: count them before you compute a mean. "
        "`attempts.host` has names of machines, and `config_json` names of folders with images.",
        "## Tables",
        UNITS,
        *(_table(name, num_rows[name]) for name in VIEWS),
        "## Citation",
        f"```bibtex\n{CITATION}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(title: str, num_rows: Mapping[str, int]) -> str:
    from huggingface_hub import DatasetCardData

    largest = max(num_rows.values(), default=0)
    size = next((word for word, limit in SIZES.items() if largest < limit), LARGEST)
    configs = [
        {"config_name": name, "data_files": f"{name}.parquet"}
        | ({"default": True} if name == OUTCOMES.name else {})
        for name in VIEWS
        if num_rows[name]  # `datasets` cannot load a table without rows.
    ]
    data = DatasetCardData(
        pretty_name=title,
        size_categories=[size],
        tags=["neural-architecture-search", "darts", "fairdarts", "automl"],
        configs=configs,
    )
    return f"---\n{LICENSE}{data.to_yaml()}\n---"


def _sweep_lines(outcomes: Iterable[Mapping[str, Any]]) -> list[str]:
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for row in outcomes:
        names = tuple(str(row[name] or "-") for name in ("sweep", "method", "dataset", "recipe"))
        counts.setdefault(names, Counter())[row["outcome"]] += 1
    ends = [end.value for end in TrialOutcome]
    head = ["sweep", "method", "data set", "recipe", "trials", *ends]
    lines = [_line(head), _line(["---"] * len(head))]
    for names, count in counts.items():
        lines.append(_line([*names, str(count.total()), *(str(count[end]) for end in ends)]))
    return lines


def _software(tables: Tables) -> str:
    """Which versions computed the trials."""
    found: dict[str, set[str]] = {}
    for text in tables.read("attempts")["versions_json"].unique().to_pylist():
        for name, version in json.loads(text or "{}").items():
            found.setdefault(name, set()).add(str(version))
    versions = (f"{name} {' and '.join(sorted(found[name]))}" for name in sorted(found))
    return f"Computed by fairdarts with: {', '.join(versions) or 'versions not recorded'}."


def _table(name: str, num_rows: int) -> str:
    lines = column_lines(VIEWS[name].columns)
    return "\n".join([f"### {name} ({num_rows:,} rows)\n", f"{ABOUT[name]}\n", *lines])


def _line(cells: Iterable[str]) -> str:
    """A line of a table; names are those of users and must not become markup."""
    texts = (clean_text(cell).replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(texts)} |"
