"""Sweeps on a real Ray, and on processes without it; all of them are really killed."""

import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import command_process
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from repository import SUPPORT
from sklearn.datasets import load_digits
from sweep_rows import computed, live_names, numbers
from tiny_sweeps import SETTINGS as TINY

from orchestrate.planning.plan import TrialSpec, plan
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import Submission, submit
from orchestrate.planning.sweep_file import parse_sweep
from orchestrate.running.runner import run_here
from orchestrate.running.status import count, sweep_status
from orchestrate.statuses import Status
from results.query.outcomes import trial_outcomes
from results.store.store import Store

DRIVER = SUPPORT / "sweep_driver.py"
DEADLINE_S = 200.0
UMASK = 0o027
SETTINGS = TINY | {stage: TINY[stage] | {"epochs": 4} for stage in ("search", "retrain")}
NUM_EPOCHS = 2 * (4 + 4) + 4
"""Of two searches with their retrainings, and of a random baseline."""


def planned(
    *assignments: str, methods: tuple[str, ...] = ("fairdarts", "darts")
) -> list[TrialSpec]:
    """A search of each method and a random baseline."""
    table = {"settings": SETTINGS, "random": [{"models": 1}]}
    matrix = {"matrix": {"method": list(methods)}} if methods else {}
    return plan(parse_sweep(table | matrix, "ray", list(assignments)))


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:g} s in vain for {what}"
        pause.wait(0.2)


class Drivers:
    """Starts drivers and, in the end, ends every process that any of them left."""

    def __init__(self, backend: str, home: Path, ray_tmp: str) -> None:
        self.backend = backend
        # Ray keeps its sessions in a folder of a short name.
        self.env = os.environ | {
            "HOME": str(home),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": ray_tmp,
            "TMPDIR": ray_tmp,
        }
        self.output = home / "output.txt"
        self.started: list[subprocess.Popen[bytes]] = []
        self.processes: set[psutil.Process] = set()

    def start(self, store: Store, *arguments: str) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, str(DRIVER), str(store.root), "sweep", self.backend, *arguments],
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                umask=UMASK,
            )
        self.started.append(process)
        return process

    def run(self, store: Store, *arguments: str) -> str:
        """Run a driver to its end; returns the statuses that it printed."""
        return self.end_of(self.start(store, *arguments))

    def end_of(self, process: subprocess.Popen[bytes]) -> str:
        wait_until(lambda: self._ended(process), "the driver to end")
        text = self.output.read_text()
        assert process.returncode == 0, text
        # Python says on stderr, at any moment, what a killed process has left in shared memory.
        lines = [
            line for line in text.splitlines() if line and set(Status).issuperset(line.split())
        ]
        return lines[-1]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9, after which Ray's own processes have to notice by themselves."""
        self._note(process)
        process.kill()
        process.wait()

    def clean_up(self) -> None:
        for process in self.started:
            self._note(process)
            process.kill()
            process.wait()
        for left in self.processes:
            if left.is_running():  # False for another process with the same pid.
                left.kill()

    def _ended(self, process: subprocess.Popen[bytes]) -> bool:
        self._note(process)
        return process.poll() is not None

    def _note(self, process: subprocess.Popen[bytes]) -> None:
        try:
            self.processes.update(psutil.Process(process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return


ON_PROCESSES_FIRST = pytest.mark.parametrize(
    "drivers", ["process", pytest.param("ray", marks=pytest.mark.slow)], indirect=True
)
"""Of tests that are about what both backends do alike: a Ray takes its time to start."""


@pytest.fixture(params=["ray", pytest.param("process", marks=pytest.mark.slow)])
def drivers(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Drivers]:
    home = tmp_path / "home"
    home.mkdir()
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as ray_tmp:
        drivers = Drivers(request.param, home, ray_tmp)
        try:
            yield drivers
        finally:
            drivers.clean_up()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture(scope="module")
def trials() -> list[TrialSpec]:
    return planned()


@pytest.fixture(scope="module")
def whole(trials: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same plan, run in this process, without a break and without Ray."""
    store = Store.create(tmp_path_factory.mktemp("whole"))
    statuses = run_here(store, submitted(store, trials))
    assert count(statuses) == {"done": len(trials)}
    return store


def submitted(store: Store, trials: list[TrialSpec]) -> Submission:
    return submit(store, "sweep", trials, Resources(gpus_per_trial=0))


def holder_pid(store: Store, trial: TrialSpec) -> int | None:
    (status,) = sweep_status(store, [trial])
    return int(status.state.holder.rpartition(" ")[2]) if status.status == "running" else None


def write_digits(folder: Path) -> None:
    """60 digits as stored images, half of them for testing."""
    digits = load_digits()
    encoded = []
    for pixels in digits.images[:60]:
        buffer = io.BytesIO()
        Image.fromarray((pixels * 15).astype("uint8")).convert("RGB").save(buffer, "PNG")
        encoded.append({"bytes": buffer.getvalue()})
    images = pa.array(encoded, pa.struct([("bytes", pa.binary())]))
    table = pa.table({"img": images, "label": digits.target[:60]})
    folder.mkdir()
    pq.write_table(table.slice(0, 30), folder / "train.parquet")
    pq.write_table(table.slice(30), folder / "test.parquet")


def write_jpegs(folder: Path) -> None:
    """60 digits as JPEG files of two classes, a third of them for testing."""
    digits = load_digits()
    for number, pixels in enumerate(digits.images[:60]):
        path = folder / ("train" if number < 40 else "test") / str(number % 2) / f"{number}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15).astype("uint8")).convert("RGB").save(path)


@ON_PROCESSES_FIRST
def test_a_failing_trial_leaves_its_siblings_alone_and_is_tried_again_on_request(
    tmp_path: Path, store: Store, drivers: Drivers
) -> None:
    write_digits(tmp_path / "images")
    searches = planned("search.epochs=1", "retrain.epochs=1")[:2]
    stored = planned(f"data=parquet:{tmp_path / 'images'}", "data.num_train=20", methods=())
    submitted(store, [*searches, *stored])
    # The images have gone since they were planned.
    (tmp_path / "images" / "train.parquet").rename(tmp_path / "images" / "hidden")

    assert drivers.run(store) == "done done failed"
    outcomes = trial_outcomes(store)
    assert outcomes["outcome"].tolist() == ["ok", "ok", "failed"]
    assert "wrong_images" in outcomes["reason"][2] and str(tmp_path) in outcomes["reason"][2]
    # What workers write is as readable as what the driver writes.
    for path in store.root.glob("stages/*/*/*/DONE.json"):
        assert path.stat().st_mode & 0o777 == 0o666 & ~UMASK

    (tmp_path / "images" / "hidden").rename(tmp_path / "images" / "train.parquet")
    assert drivers.run(store, "retry") == "done done done"
    assert set(computed(store).values()) == {1}
    attempts = store.read("attempts", [stored[0].trial_id]).sort_by("attempt").to_pylist()
    assert [row["status"] for row in attempts] == ["failed", "ok"]


@ON_PROCESSES_FIRST
def test_a_sweep_whose_driver_is_killed_ends_with_the_numbers_of_an_uninterrupted_one(
    store: Store, drivers: Drivers, trials: list[TrialSpec], whole: Store
) -> None:
    seed = time.time_ns()
    kill_after = random.Random(seed).randint(1, NUM_EPOCHS - 4)
    print(f"driver killed after epoch {kill_after} of {NUM_EPOCHS} (seed {seed})")
    submission = submitted(store, trials)
    driver = drivers.start(store)
    wait_until(lambda: len(store.read("epochs")) >= kill_after, f"{kill_after} epochs")
    drivers.kill(driver)
    assert count(sweep_status(store, submission.trials)) != {"done": len(trials)}

    assert drivers.run(store) == "done done done"
    assert numbers(store) == numbers(whole)
    again = {epoch: times for epoch, times in computed(store).items() if times > 1}
    assert all(times == 2 for times in again.values())
    assert len({key for key, _ in again}) == len(again), "more than the epoch in flight was lost"
    for table in ("epochs", "genotypes", "retrains"):
        assert len(live_names(store, table)) == len(set(live_names(store, table)))
    assert not list(store.root.rglob("*.tmp"))


def test_a_trial_whose_worker_is_killed_goes_on_in_the_same_run_and_its_siblings_too(
    store: Store, drivers: Drivers, trials: list[TrialSpec], whole: Store
) -> None:
    submitted(store, trials)
    victim = trials[0]
    driver = drivers.start(store)
    search = victim.stages[0].key
    wait_until(lambda: len(store.read("epochs", [search])) >= 1, "the first epoch of a search")
    pid = holder_pid(store, victim)
    assert pid is not None
    psutil.Process(pid).kill()

    assert drivers.end_of(driver) == "done done done"
    assert numbers(store) == numbers(whole)
    attempts = Counter(row["stage_key"] for row in store.read("attempts").to_pylist())
    repeated = [key for key, number in attempts.items() if number > 1]
    assert len(repeated) == 1 and repeated[0] in [stage.key for stage in victim.stages]
    first, second = store.read("attempts", repeated).sort_by("attempt").to_pylist()
    assert first["pid"] == pid != second["pid"]
    assert (first["status"], second["status"]) == ("lost", "ok")


@pytest.mark.slow
def test_a_worker_that_is_stopped_is_ended_by_its_run_and_its_stage_goes_on(
    store: Store, drivers: Drivers, trials: list[TrialSpec], whole: Store
) -> None:
    submit(store, "sweep", trials, Resources(gpus_per_trial=0, stall_after=8.0))
    driver = drivers.start(store)
    search = trials[0].stages[0].key
    wait_until(lambda: len(store.read("epochs", [search])) >= 1, "the first epoch of a search")
    pid = holder_pid(store, trials[0])
    assert pid is not None
    psutil.Process(pid).suspend()

    assert drivers.end_of(driver) == "done done done"
    assert not psutil.pid_exists(pid)
    assert numbers(store) == numbers(whole)
    rows = store.read("attempts").to_pylist()
    # On a busy machine an epoch of another trial can take as long as this limit.
    stalled = [row for row in rows if row["failure_kind"] == "stalled"]
    (stopped,) = (row for row in stalled if row["pid"] == pid)
    assert stopped["status"] == "lost"
    assert f"pid {pid}" in stopped["error_message"]


@pytest.mark.slow
def test_a_process_that_hangs_while_it_imports_ends_and_its_stage_goes_on(
    tmp_path: Path, store: Store, drivers: Drivers, trials: list[TrialSpec], whole: Store
) -> None:
    submit(store, "sweep", trials, Resources(gpus_per_trial=0, stall_after=30.0))
    hang = tmp_path / "hang"
    hang.touch()
    drivers.env |= {"HANG": str(hang), "PYTHONPATH": str(SUPPORT / "hanging")}
    assert drivers.run(store) == "done done done"
    assert not hang.exists(), "no process has hung"
    assert numbers(store) == numbers(whole)


@ON_PROCESSES_FIRST
def test_two_runs_share_a_sweep_and_leave_no_temporary_files(
    store: Store, drivers: Drivers, trials: list[TrialSpec], whole: Store
) -> None:
    submitted(store, trials)
    both = [drivers.start(store), drivers.start(store)]
    assert [drivers.end_of(driver) for driver in both] == ["done done done"] * 2
    assert numbers(store) == numbers(whole)
    assert set(computed(store).values()) == {1}
    assert list(Path(drivers.env["RAY_TMPDIR"]).iterdir()) == []


@ON_PROCESSES_FIRST
def test_an_interrupted_run_gives_back_what_it_computed(
    store: Store, drivers: Drivers, trials: list[TrialSpec]
) -> None:
    submitted(store, trials)
    driver = drivers.start(store)
    wait_until(lambda: len(store.read("epochs")) >= 1, "the first epoch")
    driver.send_signal(signal.SIGINT)
    wait_until(lambda: driver.poll() is not None, "the driver to end")
    assert "running" not in count(sweep_status(store, trials))
    assert not list(store.root.glob("stages/*/*/*/attempts/a*/heartbeat"))


@pytest.mark.slow
def test_a_run_that_another_process_stops_ends_by_itself_and_the_next_one_has_the_same_numbers(
    store: Store, drivers: Drivers, trials: list[TrialSpec], whole: Store
) -> None:
    submitted(store, trials)
    driver = drivers.start(store)
    wait_until(lambda: len(store.read("epochs")) >= 1, "the first epoch")
    stopped = command_process.run("sweep", "stop", "sweep", "--store", store.root)
    assert stopped.returncode == 0 and "asked 1 run to stop" in stopped.stdout
    assert "lost" in drivers.end_of(driver).split()
    assert not list(store.root.glob("stages/*/*/*/attempts/a*/heartbeat"))
    kinds = {row["failure_kind"] for row in store.read("attempts").to_pylist()}
    assert kinds <= {None, "stopped"} and "stopped" in kinds

    assert drivers.run(store) == "done done done"
    assert numbers(store) == numbers(whole)
    assert set(computed(store).values()) == {1}
    assert store.driver_dirs() == []


@pytest.mark.slow
@pytest.mark.parametrize("drivers", ["ray"], indirect=True)
@pytest.mark.parametrize("part", ["gcs_server", "raylet"])
def test_a_run_whose_ray_is_killed_says_so_and_gives_everything_back(
    part: str, store: Store, drivers: Drivers, trials: list[TrialSpec]
) -> None:
    submitted(store, trials)
    driver = drivers.start(store)
    wait_until(lambda: len(store.read("epochs")) >= 1, "the first epoch")
    started = psutil.Process(driver.pid).children(recursive=True)
    (head,) = (process for process in started if process.name() == part)
    head.kill()
    wait_until(lambda: driver.poll() is not None, "the driver to end")
    assert driver.returncode == 1
    last = drivers.output.read_text().splitlines()[-1]
    assert last.startswith(f"error: the process {part} of Ray is gone; all finished epochs are")
    assert not any(process.is_running() for process in started)
    assert "running" not in count(sweep_status(store, trials))
    assert not list(store.root.glob("stages/*/*/*/attempts/a*/heartbeat"))


@pytest.mark.slow
def test_processes_that_decode_images_change_no_number_and_end_with_their_trial(
    tmp_path: Path, store: Store, drivers: Drivers
) -> None:
    write_jpegs(tmp_path / "images")
    data = (f"data.source=folder:{tmp_path / 'images'}", "data.augmentation=resized_crop")
    trials = planned(*data, methods=("fairdarts",))
    alone = Store.create(tmp_path / "alone")
    run_here(alone, submitted(alone, trials))

    submit(store, "sweep", trials, Resources(gpus_per_trial=0, loader_workers=1))
    driver = drivers.start(store)
    search = trials[0].stages[0].key
    wait_until(lambda: len(store.read("epochs", [search])) >= 1, "the first epoch of a search")
    pid = holder_pid(store, trials[0])
    assert pid is not None
    trial = psutil.Process(pid)
    decoders = trial.children(recursive=True)
    trial.kill()
    assert decoders
    _, left = psutil.wait_procs(decoders, timeout=DEADLINE_S)
    assert not left

    assert drivers.end_of(driver) == "done done"
    assert numbers(store) == numbers(alone)
