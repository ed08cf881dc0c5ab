"""Ends a run before everything is computed: because a user asks for it, or too much has failed."""

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrate.planning.plan import TrialSpec
from orchestrate.running.drivers import Driver, StopRequest
from orchestrate.running.status import TrialStatus
from orchestrate.statuses import Status

if TYPE_CHECKING:  # It imports torch, which a run that has nothing to compute does not need.
    from orchestrate.running.agenda import Agenda


@dataclass(frozen=True)
class RunEnd:
    """How a run has ended."""

    statuses: list[TrialStatus]
    early: str = ""
    """Why it ended before everything was computed; "" if it went as far as it could."""
    on_request: bool = False
    """Whether a user stopped it, or a trial of it."""

    @property
    def outcome(self) -> str:
        """What it came to: finished, failed (a trial did), stopped (by a user) or unfinished."""
        if all(status.finished for status in self.statuses):
            return "finished"
        if any(status.status == Status.FAILED for status in self.statuses):
            return "failed"
        return "stopped" if self.on_request else "unfinished"


class Stopping:
    """Passes on the requests to stop, from the store to the agenda.

    Args:
        driver: The run.
        agenda: What it computes.
        say: Takes a sentence for the user.
        leave_after_s: How long to wait for other runs that compute all that is left.
    """

    def __init__(
        self,
        driver: Driver,
        agenda: "Agenda",
        say: Callable[[str], None],
        leave_after_s: float = math.inf,
    ) -> None:
        self._driver = driver
        self._agenda = agenda
        self._say = say
        self._leave_after_s = leave_after_s
        self._last_work = time.monotonic()
        self._told: set[str] = set()
        self._early = ""

    def look(self) -> None:
        """See whether the run, or a stage of it, should stop."""
        for key, asked in self._driver.stopped_stages().items():
            if not self._agenda.leave_out(key):
                self._driver.withdraw(key)
            elif asked.trial not in self._told:
                self._told.add(asked.trial)
                self._say(f"{asked.trial}: stops ({asked.reason}). The other trials go on.")
        if self._early:
            return
        request = self._driver.request()
        if self._agenda.has_failed_too_often:
            number = self._agenda.num_failed
            failed = "1 stage has failed" if number == 1 else f"{number} stages have failed"
            self._early = f"{failed} (--max-failures)"
            self._driver.ask_to_stop(StopRequest(self._early))  # Its processes read it too.
        elif request is not None:
            self._early = request.reason
            self._agenda.stop()
        if self._early:
            ends = "at once" if request and request.now else "after their epoch"
            self._say(
                f"Stopping: {self._early}. No new stage starts; those that are being computed end "
                f"{ends}."
            )
        else:
            self._leave_if_idle()

    def end(self, statuses: list[TrialStatus]) -> RunEnd:
        """How the run has ended.

        Args:
            statuses: All its trials, at the end.
        """
        is_on_request = not self._agenda.has_failed_too_often and bool(self._early or self._told)
        return RunEnd(statuses, self._early, is_on_request)

    def _leave_if_idle(self) -> None:
        if not self._agenda.is_left_to_others:
            self._last_work = time.monotonic()
        elif time.monotonic() - self._last_work > self._leave_after_s:
            self._early = "other runs compute all that is left (resources.leave_after)"
            self._agenda.stop()


def stages_of_it_alone(
    trial: TrialSpec, trials: list[TrialSpec], stopped: Collection[str]
) -> list[str]:
    """Keys of the stages that a trial needs, and no other trial of the plan that goes on.

    Args:
        trial: A trial that is to stop.
        trials: The plan.
        stopped: Keys of stages that are stopped already.
    """
    going_on = [t for t in trials if t.trial_id != trial.trial_id and t.trial_id not in stopped]
    needed = {stage.key for other in going_on for stage in other.stages}
    return [stage.key for stage in trial.stages if stage.key not in needed]
