"""Kills a sweep at random moments, until it has come to its end."""

import random
import subprocess
import threading
from collections import Counter

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
    """

    def __init__(
        self, store: Store, trials: list[TrialSpec], processes: Processes, chance: random.Random
    ) -> None:
        self.store, self.trials = store, trials
        self.processes, self.chance = processes, chance
        self.kills: Counter[str] = Counter()
        self._at: dict[str, int] = {}  # key of a stage to its epochs when its worker was killed

    def run(self, most_kills: int) -> Counter[str]:
        """Kill that often, or less often if the sweep ends before; then let it end."""
        driver = self.processes.driver(self.store)
        while self.kills.total() < most_kills and self._wait(driver):
            if self.chance.random() < 0.5:
                driver.kill()
                driver.wait()
                self.kills["driver"] += 1
                driver = self.processes.driver(self.store)
            else:
                self._kill_worker()
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

    def _kill_worker(self) -> None:
        # A stage whose process dies five times at the same epoch has failed, and rightly so.
        done = Counter(key for key, _ in computed(self.store))
        victims = {
            key: process
            for key, process in workers(self.store, self.trials).items()
            if done[key] > self._at.get(key, -1)
        }
        if victims:
            key = self.chance.choice(sorted(victims))
            self._at[key] = done[key]
            victims[key].kill()
            self.kills["worker"] += 1
