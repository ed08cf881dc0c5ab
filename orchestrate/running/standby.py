"""Keeps a process of Tune's ready in every slot in which no stage runs.

Tune keeps one idle process at most, and starts another only when a stage is ready for it: that one
then waits for imports. So where nothing is ready yet, Tune gets a trial that does nothing: its
process imports what stages need, and goes on to the next stage when that trial is ended.
"""

import time
from collections import Counter

from orchestrate.planning.resources import Room
from orchestrate.running.agenda import Agenda

REPORT_S = 0.1
"""How often a process that stands by asks whether to go on; a stage waits for about this long."""

STANDS_BY = "stands_by"
"""What such a process reports."""


class Standbys:
    """The trials of Tune's that stand by for stages.

    Args:
        agenda: What runs, and what is to come.
        room: What fits beside what runs.
        is_wanted: Whether to have any: slots that others could use should be left free.
    """

    def __init__(self, agenda: Agenda, room: Room, is_wanted: bool) -> None:
        self._agenda = agenda
        self._room = room
        self._is_wanted = is_wanted
        self._kinds: dict[str, str] = {}  # id of Tune's trial to kind of its stages

    def next(self) -> str | None:
        """Kind of stage for which one more process should stand by; None: for no kind."""
        running = self._agenda.started
        # Each stage that runs leaves its process to another one.
        if not self._is_wanted or len(self._kinds) >= self._agenda.num_to_come - running.total():
            return None
        kinds = self._room.kinds(running + Counter(self._kinds.values()))
        return kinds[-1] if kinds else None

    def began(self, trial_id: str, kind: str) -> None:
        """Take note of a trial that stands by for stages of that kind."""
        self._kinds[trial_id] = kind

    def make_room(self, kind: str) -> None:
        """Let a stage of that kind have the slot and the process of one that stands by.

        If all of them stand by with other resources, none of them may be in its way.
        """
        share = self._room.shares[kind]
        fits = (trial for trial, own in self._kinds.items() if self._room.shares[own] == share)
        if fitting := next(fits, None):
            del self._kinds[fitting]
        else:
            self._kinds.clear()

    def died(self, trial_id: str) -> None:
        """Take note that a process is gone. What ends processes that do nothing ends the next."""
        if self._kinds.pop(trial_id, None) is not None:
            self._is_wanted = False

    def is_over(self, trial_id: str) -> bool:
        """Whether a trial that stands by should end now."""
        return trial_id not in self._kinds or self._agenda.is_finished


def stand_by() -> None:
    """Wait in a process of Tune's; Tune ends it at one of its reports."""
    from ray import tune

    while True:
        tune.report({STANDS_BY: True})
        time.sleep(REPORT_S)
