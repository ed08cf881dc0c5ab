"""Gives out the stages of an agenda one by one, to whatever computes them: Ray or plain processes.

Quick stages are not given out but computed here, in the driver.
"""

import time
from collections.abc import Callable

from orchestrate.planning.plan import StageSpec
from orchestrate.planning.resources import QUICK_SHARE, Room
from orchestrate.running.agenda import QUICK, Agenda
from orchestrate.running.trial import run_stage
from orchestrate.stages.runtime import Runtime
from results.store.store import Store

POLL_S = 2.0
"""How often to look at what others change: stages that other runs compute, and the cluster."""


class Handout:
    """Which stage is computed next.

    An answer takes next to no time, unless a quick stage is computed.

    Args:
        store: Where the stages are.
        agenda: What is ready.
        room: What fits beside what runs.
        on_look: Called every `POLL_S` seconds.
    """

    def __init__(
        self, store: Store, agenda: Agenda, room: Room, on_look: Callable[[], None]
    ) -> None:
        self._store = store
        self._agenda = agenda
        self._room = room
        self._on_look = on_look
        self._next_look = 0.0

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left that this run could compute or should wait for."""
        return self._agenda.is_finished

    def next(self, has_place: Callable[[str], bool] = lambda kind: True) -> StageSpec | None:
        """The most urgent stage for which there is room; None if there is none now.

        Args:
            has_place: Whether a stage of a kind has a place, where that takes more than room: one
                GPU with enough left.
        """
        if time.monotonic() >= self._next_look:
            self._agenda.look_again()
            self._on_look()
            self._next_look = time.monotonic() + POLL_S
        while task := self._agenda.next([*QUICK, *self._kinds(has_place)]):
            if not task.is_quick:
                return task.stage
            run_stage(task.stage, self._store, Runtime.of(QUICK_SHARE))
            self._agenda.ended(task.stage.key)
        return None

    def ended(self, key: str, death: str = "") -> None:
        """Take note that a stage is no longer being computed, see `Agenda.ended`."""
        self._agenda.ended(key, death)
        self._next_look = 0.0  # It may have ended because a user asked for it.

    def _kinds(self, has_place: Callable[[str], bool]) -> list[str]:
        return [kind for kind in self._room.kinds(self._agenda.started) if has_place(kind)]
