"""Keeps mirrors up to date while a sweep runs, each in a thread of the driver.

The store is read and nothing is asked of the processes that compute: so it makes no difference what
starts them and where they are, and an error of a mirror cannot reach a stage.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from orchestrate.errors import first_line
from orchestrate.mirrors.mirror import (
    RESULTS,
    Mirror,
    MirroredStage,
    Record,
    StageNow,
    ended,
    mirrored_stages,
)
from orchestrate.planning.submission import Submission, stored_submission
from orchestrate.stages.state import stage_state
from orchestrate.statuses import Status
from results.store.layout import mirror_lock
from results.store.store import Store

LOOK_S = 5.0
LONGEST_PAUSE_S = 300.0
"""After errors the pauses grow up to this."""
SHARE = 0.2
"""Share of a CPU that a thread may take: more stages, fewer looks."""
LONG_S = 10.0
"""After this time at the end of a run, the user is told for what it waits."""
GRACE_S = 5.0
"""An interrupted command waits this long for its mirrors."""


@contextmanager
def mirrored(
    store: Store, submission: Submission, mirrors: Sequence[Mirror], say: Callable[[str], None]
) -> Iterator[None]:
    """Keep mirrors up to date while the block runs, and bring them up to date at its end.

    Args:
        store: What to show.
        submission: Its stages are shown, and those of later submissions of the same sweep.
        mirrors: Where.
        say: Takes a sentence for the user if a mirror cannot be written.
    """
    stop = threading.Event()
    followers = [Follower(store, submission, mirror, say) for mirror in mirrors]
    threads = [threading.Thread(target=f.run, args=[stop], daemon=True) for f in followers]
    for thread in threads:
        thread.start()
    try:
        yield
    except BaseException:
        stop.set()
        deadline_s = time.monotonic() + GRACE_S
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        raise
    stop.set()
    for thread, mirror in zip(threads, mirrors, strict=True):
        thread.join(LONG_S)
        if thread.is_alive():
            say(f"Waiting until {mirror.target} shows everything; Ctrl-C ends this.")
        thread.join()


class Follower:
    """Brings one mirror up to date, again and again.

    Args:
        store, submission, mirror, say: See `mirrored`.
    """

    def __init__(
        self, store: Store, submission: Submission, mirror: Mirror, say: Callable[[str], None]
    ) -> None:
        self._store = store
        self._sweep = submission.sweep
        self._number = submission.number
        self._mirror = mirror
        self._say = say
        self._stages = mirrored_stages(submission.sweep, submission.trials)
        self._shown: dict[str, Record] = {}
        self._said: set[str] = set()
        self._lock = contextlib.ExitStack()

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set, and then once more.

        Of several runs of a sweep, one at a time writes to a target.
        """
        pause_s = LOOK_S
        is_ours = is_last = False
        while not is_last:
            is_last = stop.is_set()
            began_s = time.thread_time()  # Waiting for a server takes nothing from the driver.
            try:
                is_ours = is_ours or self._claim()
                if is_ours:
                    self.look()
                else:
                    self._say_once(f"{self._mirror.target} is written by another run.")
                pause_s = LOOK_S
            # Targets are disks, servers, and the libraries of others: anything may come, and the
            # next look may succeed.
            except Exception as error:
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                self._tell(error)
            stop.wait(max(pause_s, (time.thread_time() - began_s) / SHARE))
        with contextlib.suppress(Exception):
            self._mirror.close()
        self._lock.close()

    def look(self) -> None:
        """Show what the store has and the target has not."""
        self._find_later_submissions()
        # First the states, then the rows: of a stage that is done, all rows are there.
        states = {
            key: ended(stage_state(self._store.stage_dir(stage.kind, key)).status)
            for key, stage in self._stages.items()
            if self._shown.get(key, Record()).end != Status.DONE
        }
        records = self._records(states)
        for key, stage in self._stages.items():
            if (record := records.get(key)) is None:
                continue
            if key not in self._shown:
                self._shown[key] = self._mirror.shown(stage)
            if self._shown[key] != record:
                self._mirror.show(stage, self._now(stage, record))
                self._shown[key] = record

    def _records(self, states: dict[str, str]) -> dict[str, Record]:
        """Of each of these stages that has begun, how much the store has."""
        columns = ["stage_key", "epoch", "written_at"]
        rows = self._store.read("epochs", states, columns)
        heads = rows.group_by("stage_key").aggregate([("epoch", "count"), ("written_at", "max")])
        return {
            head["stage_key"]: Record(
                head["epoch_count"],
                head["written_at_max"].isoformat() if head["written_at_max"] else "",
                states[head["stage_key"]],
            )
            for head in heads.to_pylist()
        }

    def _now(self, stage: MirroredStage, record: Record) -> StageNow:
        rows = self._rows("epochs", stage.key)
        rows = sorted(rows, key=lambda row: row["epoch"])[: record.num_epochs]
        if stage.kind != "retrain":
            return StageNow(record, rows)
        found = self._rows("retrains", stage.key) if record.end else []
        results = {n: row[n] for row in found for n in RESULTS if row[n] is not None}
        derived = self._rows("genotypes", stage.parent) if stage.parent else []
        return StageNow(record, rows, results, derived[0]["genotype_json"] if derived else "")

    def _rows(self, table: str, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._store.read(table, [key]).to_pylist()
        return rows

    def _find_later_submissions(self) -> None:
        """Others may add trials to the sweep, and leave it to this run to show them."""
        while later := stored_submission(self._store, self._sweep, self._number + 1):
            self._number += 1
            self._stages = mirrored_stages(self._sweep, later.trials) | self._stages

    def _claim(self) -> bool:
        """Whether this process may write to the target, until it ends."""
        path = mirror_lock(self._store.root, f"{self._sweep} {self._mirror.target}")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        except OSError:  # A file system without locks: two runs at once are rare.
            pass
        self._lock.enter_context(file)
        return True

    def _tell(self, error: Exception) -> None:
        self._shown.clear()
        with contextlib.suppress(Exception):
            self._mirror.forget()
        reason = first_line(error)
        if isinstance(error, OSError) and error.errno:
            reason = os.strerror(error.errno)
        self._say_once(
            f"warning: {self._mirror.target} cannot be written ({reason or type(error).__name__}). "
            "The sweep goes on, and this is tried again."
        )

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._say(sentence)
