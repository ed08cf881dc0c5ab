"""What all parts of the page are made of: the tables, read once."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from results.page.given import Given
from results.query.outcomes import to_pandas
from results.query.planned import STAGE_COLUMNS, Row
from results.query.tables import Tables
from results.statuses import TrialOutcome

if TYPE_CHECKING:
    import pandas as pd

Trial = dict[str, Any]
"""A row of the table `outcomes`, with `status`."""

OK = TrialOutcome.OK.value
INVALID = TrialOutcome.INVALID.value
FAILED = TrialOutcome.FAILED.value
LOST, RUNNING, PENDING = "lost", "running", "pending"
STATUSES = (OK, INVALID, FAILED, LOST, RUNNING, PENDING)
"""How far a trial is. The last three are what tables call unfinished."""


@dataclass(frozen=True)
class Facts:
    """The trials of a page."""

    tables: Tables
    given: Given

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """The table `outcomes`."""
        return to_pandas(self.tables.read("outcomes"))

    @cached_property
    def trials(self) -> list[Trial]:
        """Its rows, each with `status`, one of `STATUSES`, in the order of the plan."""
        rows = self.tables.read("outcomes").to_pylist()
        return [row | self._course(row) for row in rows]

    @cached_property
    def attempts(self) -> Mapping[str, list[Row]]:
        """Every attempt, by the key of its stage, the first one first."""
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self.tables.read("attempts").sort_by("attempt").to_pylist():
            found[row["stage_key"]].append(row)
        return found

    @property
    def sweeps(self) -> list[str]:
        """Names of the sweeps, in order."""
        return list(dict.fromkeys(trial["sweep"] for trial in self.trials))

    def stages(self, trial: Row) -> list[str]:
        """Keys of the stages of a trial, in order."""
        return [trial[column] for column in STAGE_COLUMNS if trial[column]]

    def detail(self, trial: Row) -> str:
        """How far a trial is, or why it has no result."""
        state = self.given.states.get(trial["trial_id"])
        return trial["reason"] or (state.detail if state else "") or ""

    def _course(self, trial: Row) -> dict[str, str | None]:
        """How far a trial is. Its rows know how it ended, the files of its stages all else."""
        state = self.given.states.get(trial["trial_id"])
        if trial["outcome"] != TrialOutcome.UNFINISHED:
            return {"status": trial["outcome"]}
        # Failed, too: of a process that died again and again no row says so.
        if state is None or state.status not in (FAILED, LOST, RUNNING):
            return {"status": PENDING}
        return {"status": state.status, "failure_kind": state.failure_kind or None}
