"""The runs of sweeps that are alive, and how they are asked to stop: through the store alone.

```
drivers/<run>/              one folder for each run, removed when the run ends
  DRIVER.json               the sweep, and the number of its submission
  LEASE.json, heartbeat     the process that drives the run, as in an attempt at a stage
  STOP.json                 asks the run to end
  stop-<key>.json           asks it not to go on with one stage
  CHANGES.json              in place of DRIVER.json: a command that deletes or imports results
```

A request is made to one run, by the id of the run, and is gone with it. So no clock matters, and
the next run of the sweep need not know of it.
"""

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrate.errors import Stopped, SweepError
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import Submission, stored_submission
from orchestrate.stages.heart import Heart
from results.store.attempt_files import AttemptPaths
from results.store.files import parsed, write_json
from results.store.holder import Holder, hold_on, holder_of, this_process
from results.store.store import Store

LOOK_S = 2.0


@dataclass(frozen=True)
class StopRequest:
    """Asks a run, or one stage of it, to stop: the content of a STOP.json."""

    reason: str
    """Who asked, or what went wrong."""
    trial: str = ""
    """Label of the trial that a person stopped; "" for the whole run."""
    now: bool = False
    """Whether epochs that have begun are given up; otherwise stages end after them."""


@dataclass(frozen=True)
class Driver:
    """A run of a sweep."""

    folder: Path
    sweep: str
    submission: int

    @property
    def run(self) -> str:
        """Id of the run, see `Holder.run`."""
        return self.folder.name

    @property
    def holder(self) -> str:
        """Its process, such as "node7 pid 4242"; "" if that is gone."""
        process = AttemptPaths(self.folder)
        hold, holder = hold_on(process), holder_of(process)
        # One that a person stopped (Ctrl-Z) may go on.
        is_there = hold and (hold.is_alive or (holder and holder.is_here))
        return hold.name if hold and is_there else ""

    @property
    def since(self) -> datetime:
        """When it started; now, if it has just ended."""
        with contextlib.suppress(FileNotFoundError):
            began_s = AttemptPaths(self.folder).lease.stat().st_mtime
            return datetime.fromtimestamp(began_s, UTC)
        return datetime.now(UTC)

    def trials(self, store: Store) -> list[TrialSpec]:
        """What it runs; nothing if its plan is damaged."""
        submission = stored_submission(store, self.sweep, self.submission)
        return submission.trials if submission else []

    def ask_to_stop(self, request: StopRequest, key: str | None = None) -> None:
        """Ask the run to end, or not to go on with one stage; to repeat it changes nothing.

        Args:
            request: Why.
            key: Key of the stage; None: the whole run.
        """
        if self.folder.exists():  # It may have ended a moment ago.
            write_json(_request_path(self.folder, key), asdict(request))

    def request(self, key: str | None = None) -> StopRequest | None:
        """The request to stop the run, or that stage of it; None if there is none."""
        return _request(self.folder, key)

    def stopped_stages(self) -> dict[str, StopRequest]:
        """The requests to stop single stages, by key."""
        found = {}
        for path in sorted(self.folder.glob("stop-*.json")):
            key = path.stem.removeprefix("stop-")
            if request := self.request(key):
                found[key] = request
        return found

    def withdraw(self, key: str) -> None:
        """Take back the request to stop a stage."""
        _request_path(self.folder, key).unlink(missing_ok=True)


@contextmanager
def announced(store: Store, submission: Submission) -> Iterator[Driver]:
    """Make this process known as the driver of a new run, until the block ends.

    Raises:
        SweepError: If a command deletes or imports results at this moment.
    """
    about = {"sweep": submission.sweep, "submission": submission.number}
    with _present(store, "DRIVER.json", about) as folder:
        # Both look only after they are known themselves: at least one of two sees the other.
        for command, holder in _changes(store, folder):
            raise SweepError(f"`{command}` is at work ({holder}): run it when that has ended.")
        yield Driver(folder, submission.sweep, submission.number)


@contextmanager
def changing(store: Store, command: str) -> Iterator[None]:
    """Make this process known as one that deletes or imports results, until the block ends.

    Raises:
        SweepError: If another one does the same.
    """
    with _present(store, "CHANGES.json", {"command": command}) as folder:
        for other, holder in _changes(store, folder):
            raise SweepError(f"`{other}` is at work ({holder}): try again when that has ended.")
        yield


@contextmanager
def _present(store: Store, name: str, about: dict[str, Any]) -> Iterator[Path]:
    """A folder that tells others what this process does, until the block ends."""
    _remove_dead(store)
    folder = store.driver_dir(secrets.token_hex(8))
    process = AttemptPaths(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        write_json(folder / name, about)
        process.heartbeat.touch()
        write_json(process.lease, this_process(folder.name))  # Without it, there is no run.
        stack.callback(Heart(process.heartbeat).stop)
        yield folder


def _changes(store: Store, own: Path) -> Iterator[tuple[str, str]]:
    """Other commands that change the store, each with its process."""
    for folder in store.driver_dirs():
        command = parsed(folder / "CHANGES.json", lambda about: str(about["command"]))
        holder = Driver(folder, "", 0).holder
        if command is not None and holder and folder != own:
            yield command, holder


def live_drivers(store: Store, sweep: str | None = None) -> list[Driver]:
    """Every run of a sweep, None: of any, whose driver is alive, oldest first."""
    drivers = [one for one in _drivers(store) if sweep in (None, one.sweep) and one.holder]
    return sorted(drivers, key=lambda driver: driver.since)


def stop_request(store: Store, run: str, key: str) -> StopRequest | None:
    """Why a process that computes a stage for a run should stop; None: it should go on."""
    if not run:
        return None
    folder = store.driver_dir(run)
    return _request(folder, None) or _request(folder, key)


class StopLine:
    """Ends a stage when it should stop: in the process that computes it.

    Args:
        store: Where requests are.
        run: The run that the process works for; "" for none.
        key: Key of the stage.
    """

    def __init__(self, store: Store, run: str, key: str) -> None:
        self._store, self._run, self._key = store, run, key
        self._next_look = 0.0

    def after_epoch(self) -> None:
        """See whether the stage should stop.

        Raises:
            Stopped: If so.
        """
        if request := stop_request(self._store, self._run, self._key):
            raise Stopped(request.reason)

    def before_step(self) -> None:
        """See, every `LOOK_S` seconds, whether the stage should stop at once.

        Raises:
            Stopped: If so. The epochs that are finished stay.
        """
        if time.monotonic() < self._next_look:
            return
        request = stop_request(self._store, self._run, self._key)
        if request is not None and request.now:
            raise Stopped(request.reason)
        self._next_look = time.monotonic() + LOOK_S


def _drivers(store: Store) -> Iterator[Driver]:
    """Every run that has been announced and has not said that it ended."""
    for folder in store.driver_dirs():
        about = parsed(_about_path(folder), lambda it: (str(it["sweep"]), int(it["submission"])))
        lease = AttemptPaths(folder).lease
        if about is not None and parsed(lease, lambda it: Holder(**it)) is not None:
            yield Driver(folder, *about)


def _remove_dead(store: Store) -> None:
    for folder in store.driver_dirs():
        lease = AttemptPaths(folder).lease
        is_there = parsed(lease, lambda it: Holder(**it)) is not None
        if is_there and not Driver(folder, "", 0).holder:
            shutil.rmtree(folder, ignore_errors=True)


def _request(folder: Path, key: str | None) -> StopRequest | None:
    return parsed(_request_path(folder, key), lambda content: StopRequest(**content))


def _request_path(folder: Path, key: str | None) -> Path:
    return folder / ("STOP.json" if key is None else f"stop-{key}.json")


def _about_path(folder: Path) -> Path:
    return folder / "DRIVER.json"
