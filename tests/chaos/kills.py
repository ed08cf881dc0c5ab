"""Kills a sweep at random moments, until it has come to its end."""

import random
import subprocess
import threading
from collections import Counter
from collections.abc import Callable

import psutil
from nodes import Nodes
from processes import LONG_S, Processes, num_epochs, workers
from sweep_rows import computed
from tiny_sweeps import wait_until

from orchestrate.planning.plan import TrialSpec
from results.store.store import Store

MOST_EPOCHS_BETWEEN = 4
AT_ANY_MOMENT_S = 0.3
"""A kill comes up to this much later than the epoch that sets it off."""


class Attack:
    """One sweep, from its start to its end.

    Args:
        store: Where the sweep is planned.
        trials: The plan.
        processes: Start the drivers.
        chance: Decides what is killed, and when.
        nodes: The cluster that the drivers join: its raylets are killed, too.
    """

    def __init__(
        self,
        store: Store,
        trials: list[TrialSpec],
        processes: Processes,
        chance: random.Random,
        nodes: Nodes | None = None,
    ) -> None:
        self.store, self.trials = store, trials
        self.processes, self.chance, self.nodes = processes, chance, nodes
        self.kills: Counter[str] = Counter()
        self._at: dict[str, int] = {}  # key of a stage to its epochs when its worker was killed

    def run(self, is_enough: Callable[[Counter[str]], bool]) -> Counter[str]:
        """Kill until it is enough, or the sweep has ended before; then let it end.

        Args:
            is_enough: Says so of the number of kills, by what was killed.
        """
        driver = self.processes.driver(self.store)
        while not is_enough(self.kills) and self._wait(driver):
            kind = self.chance.choice(["driver", "worker", *(["raylet"] if self.nodes else [])])
            if kind == "driver":
                driver.kill()
                driver.wait()
                driver = self.processes.driver(self.store)
            elif (worker := self._worker()) is None:
                continue
            elif kind == "worker":
                worker.kill()
            elif not self._kill_its_raylet(worker):
                continue
            self.kills[kind] += 1
        self.processes.end_of(driver)
        return self.kills

    def _wait(self, driver: "subprocess.Popen[bytes]") -> bool:
        """Wait for the moment of the next kill; False if the driver has ended before."""
        goal = num_epochs(self.store) + self.chance.randint(1, MOST_EPOCHS_BETWEEN)
        wait_until(
            lambda: num_epochs(self.store) >= goal or driver.poll() is not None,
            f"{goal} epochs",
            LONG_S,
        )
        threading.Event().wait(self.chance.uniform(0, AT_ANY_MOMENT_S))
        return driver.poll() is None

    def _worker(self) -> psutil.Process | None:
        """The process of a stage that may be killed, if there is one."""
        # A stage whose process dies five times at the same epoch has failed, and rightly so.
        done = Counter(key for key, _ in computed(self.store))
        victims = {
            key: process
            for key, process in workers(self.store, self.trials).items()
            if done[key] > self._at.get(key, -1)
        }
        if not victims:
            return None
        key = self.chance.choice(sorted(victims))
        self._at[key] = done[key]
        return victims[key]

    def _kill_its_raylet(self, worker: psutil.Process) -> bool:
        try:
            raylet = worker.parent()
        except psutil.NoSuchProcess:  # It has ended in this moment.
            return False
        assert self.nodes is not None and raylet is not None
        return self.nodes.lose(raylet)
