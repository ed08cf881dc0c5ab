"""The resolved tables of a store, each read when it is first asked for."""

from collections import Counter
from collections.abc import Collection
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Self

from results.query.configs import stages_of
from results.query.outcomes import is_newest, outcomes_of
from results.query.planned import Row, by_age, stage_keys
from results.query.positions import (
    UNKNOWN,
    Space,
    ops_table,
    positions,
    positions_table,
    space_of,
    unnamed_positions,
)
from results.query.reference import reference
from results.query.views import ALL_ATTEMPTS, OPS
from results.schema import I16, STR
from results.store.attempts import read_attempts
from results.store.layout import STAGE_TABLES
from results.store.store import Store
from results.text import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from results.store.sealed import Rows

TRIAL = ("sweep", "trial_id")
"""Columns that together name a trial."""
TABLES = ("trials", "outcomes", "attempts", *sorted(STAGE_TABLES), "ops", "reference")
"""Views that are held as tables. `alphas` is unfolded from `epochs` while a query runs."""


class Tables:
    """The trials that `fairdarts results table` counts, and the rows of their stages.

    Args:
        store: The store to read.
        sweeps: Names of sweeps; None: every sweep.
        all_submissions: Include trials that only older submissions of a sweep planned.
    Raises:
        StoreError: If there is no sweep of a given name.
        DamagedFile: If a file of the table `trials` is damaged.
    """

    def __init__(
        self,
        store: Store,
        sweeps: list[str] | None = None,
        all_submissions: bool = False,
    ) -> None:
        import pyarrow as pa

        self.store = store
        newest, older = by_age(store, sweeps)
        self.trials = pa.concat_tables([older, newest]) if all_submissions else newest
        self.left_out = Counter([] if all_submissions else older["sweep"].to_pylist())
        """For each sweep, how many trials only its older submissions planned, if there are any."""
        self.condition_note = ""
        """What a condition left out, as a sentence; see `results.query.condition.where`."""
        self.stage_keys = stage_keys(self.trials)
        self._outcomes: pa.Table | None = None  # Two questions of one command ask for it.
        self._scanned: dict[str, Rows] = {}

    @property
    def notes(self) -> list[str]:
        """Sentences on trials that are planned and not here, for whoever shows the others."""
        parts = [
            f"{counted(number, 'trial')} of {sweep}" for sweep, number in self.left_out.items()
        ]
        earlier = (
            f"Left out: {', '.join(parts)} that only earlier submissions planned; "
            "`--all-submissions` includes them."
        )
        return [*([earlier] if parts else []), *filter(None, [self.condition_note])]

    @cached_property
    def planned(self) -> list[Row]:
        """The trials as rows of Python, which takes long for thousands of them."""
        return list(self.trials.to_pylist())

    def of_stages(self, keys: Collection[str]) -> Self:
        """The same trials, with the rows of these stages only."""
        some = copy(self)
        some.stage_keys = self.stage_keys.intersection(keys)
        return some._without_caches()

    def of_trials(self, names: Collection[tuple[str, str]]) -> Self:
        """Some of the trials, with the rows of their stages.

        Args:
            names: Sweep and id of each trial.
        """
        import pyarrow as pa

        some = copy(self)
        of_trials = zip(*(self.trials[name].to_pylist() for name in TRIAL), strict=True)
        kept = pa.array([name in names for name in of_trials], pa.bool_())
        some.trials = self.trials.filter(kept)
        some.stage_keys = stage_keys(some.trials)
        if self._outcomes is not None:
            some._outcomes = self._outcomes.filter(kept)
        return some._without_caches()

    def _without_caches(self) -> Self:
        """A copy may have what is cached for more trials."""
        for name in ("planned", "layouts", "_spaces"):
            self.__dict__.pop(name, None)
        self._scanned = {}
        return self

    def read(self, name: str) -> "pa.Table":
        """Read a table; see `results.query.views` for its columns.

        Args:
            name: One of `TABLES`.
        Raises:
            DamagedFile: If a file is damaged.
        """
        if name == "trials":
            return self.trials
        if name == "outcomes":
            if self._outcomes is None:
                self._outcomes = outcomes_of(self.store, self.trials)
            return self._outcomes
        if name == "reference":
            return reference()
        if name == OPS.name:
            return ops_table(self._distinct_spaces, OPS.arrow)
        if name == "attempts":
            return _with_newest(read_attempts(self.store, self.stage_keys))
        return self.store.read(name, self.stage_keys)

    def scan(self, name: str) -> "Rows":
        """Find the rows of one of `STAGE_TABLES` without reading those that are sealed.

        Those that are live are read once, because each of them is a file.
        """
        if name not in self._scanned:
            self._scanned[name] = self.store.scan(name, self.stage_keys)
        return self._scanned[name]

    @cached_property
    def layouts(self) -> "tuple[pa.Table, pa.Table]":
        """What the lists of alphas mean: a layout for each search, and the positions of layouts."""
        import pyarrow as pa

        spaces, distinct = self._spaces, self._distinct_spaces
        numbers: dict[Space | None, int] = {
            space: number for number, space in enumerate(distinct) if positions(*space)
        }
        rows = [
            {"stage_key": key, "layout": numbers.get(space, UNKNOWN)}
            for key, space in spaces.items()
        ]
        schema = pa.schema([("stage_key", STR), ("layout", I16)])
        named = positions_table(distinct)
        all_ = pa.concat_tables([named, unnamed_positions(named.schema)])
        return pa.Table.from_pylist(rows, schema), all_

    @property
    def _distinct_spaces(self) -> list[Space]:
        return sorted({space for space in self._spaces.values() if space is not None}, key=str)

    @cached_property
    def _spaces(self) -> dict[str, Space | None]:
        """The space of every search, by its key; None: it is not known."""
        of_groups: dict[str, Space | None] = {}  # Thousands of trials differ in seeds only.
        found = {}
        columns = (self.trials[name].to_pylist() for name in ("search_key", "group_id"))
        for place, (key, group) in enumerate(zip(*columns, strict=True)):
            if key is None or key not in self.stage_keys:
                continue
            if group is None or group not in of_groups:
                config = self.trials["config_json"][place].as_py()
                of_groups[group] = space_of(stages_of(config))
            found[key] = of_groups[group]
        return found


def _with_newest(attempts: "pa.Table") -> "pa.Table":
    """Add the column `newest`."""
    import pyarrow as pa

    columns = [*attempts.columns, is_newest(attempts)]
    return pa.Table.from_arrays(columns, schema=ALL_ATTEMPTS.arrow)
