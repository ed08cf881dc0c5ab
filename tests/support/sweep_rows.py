"""What a sweep has left in its store, to be compared with what another run of it has left."""

import re
from collections import Counter
from typing import Any

from results.store.store import Store

NOT_REPEATABLE = {"attempt", "wall_s", "images_per_s", "written_at"}
BY_STAGE = [("stage_key", "ascending")]
BY_EPOCH = [*BY_STAGE, ("epoch", "ascending")]


def numbers(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row of every stage, without what differs from run to run."""
    tables = {"epochs": BY_EPOCH, "genotypes": BY_STAGE, "retrains": BY_STAGE}
    return {
        name: [
            {column: value for column, value in row.items() if column not in NOT_REPEATABLE}
            for row in store.read(name).sort_by(order).to_pylist()
        ]
        for name, order in tables.items()
    }


def computed(store: Store) -> Counter[tuple[str, int]]:
    """How often each epoch of each stage was computed, from the logs of all attempts."""
    found: Counter[tuple[str, int]] = Counter()
    for log in store.root.glob("stages/*/*/*/attempts/a*/log.txt"):
        key = log.parents[2].name
        found.update(
            (key, int(n)) for n in re.findall(r"^\S+ \S+ epoch (\d+) ", log.read_text(), re.M)
        )
    return found


def live_names(store: Store, table: str) -> list[str]:
    """Stage keys of the files of a table as they lie there, whichever attempt counts."""
    return [path.name.partition(".")[0] for path in (store.root / "live" / table).glob("*.parquet")]
