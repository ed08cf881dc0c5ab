"""Starts drivers and kills them and their workers; knows every process that came of them."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
from attacked import SWEEP
from repository import ROOT, SUPPORT
from sweep_rows import computed
from tiny_sweeps import wait_until

from orchestrate.planning.plan import TrialSpec
from orchestrate.running.status import sweep_status
from results.store.store import Store

MARK = "FAIRDARTS_TEST_CHAOS"
"""A variable that children inherit: so that none of them gets lost."""


class Processes:
    """Everything that an attack starts.

    Args:
        home: Folder for output and temporary files.
        backend: `ray`, `process`, or the address of a cluster.
        more: Further variables of the environment.
    """

    def __init__(self, home: Path, backend: str = "process", **more: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.output = home / "output.txt"
        self.backend = backend
        self.mark = f"{os.getpid()} {home}"
        self.env = os.environ | {"HOME": str(home), "TMPDIR": str(home), MARK: self.mark} | more

    def driver(
        self, store: Store, *arguments: str, env: dict[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a driver of the sweep."""
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [
                    sys.executable,
                    SUPPORT / "sweep_driver.py",
                    store.root,
                    SWEEP,
                    self.backend,
                    *arguments,
                ],
                env=self.env | {"PYTHONPATH": f"{ROOT}:{SUPPORT}"} | (env or {}),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def end_of(self, driver: "subprocess.Popen[bytes]") -> None:
        """Wait until a driver has come to its end, and all that it started with it."""
        wait_until(lambda: driver.poll() is not None, "a driver to end", LONG_S)
        assert driver.returncode == 0, self.output.read_text()

    def left(self) -> list[psutil.Process]:
        """Processes that came of this and live."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.pid != os.getpid():
                    found.append(process)
            except psutil.Error:  # It has ended meanwhile, or is a zombie.
                continue
        return found

    def assert_none_left(self) -> None:
        """Those of a dead driver notice it within moments."""
        wait_until(lambda: not self.left(), "the last process to end", LONG_S)

    def kill_all(self) -> None:
        """At the end of a test, whatever has become of it."""
        for process in self.left():
            process.kill()


LONG_S = 600.0
"""The machine may be busy with other things."""


def num_epochs(store: Store) -> int:
    """How many epochs were computed so far, those that were lost again included."""
    return sum(computed(store).values())


def workers(store: Store, trials: list[TrialSpec]) -> dict[str, psutil.Process]:
    """The process of each stage that is being computed, by the key of the stage."""
    found = {}
    for status in sweep_status(store, trials):
        if status.status == "running" and status.stage.kind in ("search", "retrain"):
            pid = int(status.state.holder.rpartition(" ")[2])
            try:
                found[status.stage.key] = psutil.Process(pid)
            except psutil.NoSuchProcess:
                continue
    return found
