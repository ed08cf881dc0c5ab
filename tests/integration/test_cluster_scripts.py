"""The scripts for clusters, with stand-ins for SLURM's commands and a real Ray on this machine."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from repository import ROOT
from tiny_sweeps import wait_until

from results.store.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")]
SCRIPTS = ROOT / "examples" / "cluster"
JOB, ARRAY = SCRIPTS / "slurm.sbatch", SCRIPTS / "slurm-array.sbatch"
DEADLINE_S = 240.0
KINDS = ("search", "derive", "retrain")
SWEEP = """
[settings]
data.num_train = 40
data.num_test = 20
search = { init_channels = 2, num_cells = 3, epochs = %d, batch_size = 20 }
derive.op_threshold = 0.3
retrain = { init_channels = 2, num_cells = 3, epochs = 2, batch_size = 20, auxiliary_weight = 0.0 }
[matrix]
method = ["fairdarts"]
"""
COMMANDS = {
    # The step of a job that runs on one node: here, on this one.
    "srun": 'while [ "$1" != ray ]; do shift; done; exec "$@"',
    "scontrol": 'if [ "$1" = requeue ]; then echo "$2" > "$REQUEUED"; else echo 127.0.0.1; fi',
    "ray": f'exec "{sys.executable}" -m ray.scripts.scripts "$@"',
    "fairdarts": f'exec "{sys.executable}" -c "from cli.entry import main; main()" "$@"',
}


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables of a job, and a PATH on which the commands above are."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, code in COMMANDS.items():
        (folder / name).write_text(f"#!/usr/bin/env bash\n{code}\n")
        (folder / name).chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as ray_tmp:
        yield os.environ | {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "RAY_TMPDIR": ray_tmp,
            "SLURM_JOB_NODELIST": "node1",
            "SLURM_JOB_ID": str(random.randrange(20_000)),
            "SLURM_ARRAY_JOB_ID": "4242",
            "SLURM_ARRAY_TASK_ID": "1",
            "SLURM_CPUS_PER_TASK": "2",
            "REQUEUED": str(tmp_path / "requeued"),
        }


def start(
    script: Path, folder: Path, slurm: dict[str, str], epochs: int
) -> "subprocess.Popen[str]":
    (folder / "mine.toml").write_text(SWEEP % epochs)
    return subprocess.Popen(
        ["bash", str(script), str(folder / "mine.toml"), str(folder / "store")],
        env=slurm,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(process: "subprocess.Popen[str]") -> str:
    """What it printed; SLURM ends the steps of a job with it, which here is to be done."""
    process.wait(DEADLINE_S)
    with suppress(ProcessLookupError):  # Nothing is left.
        os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout is not None
    return process.stdout.read()


def test_a_job_runs_a_sweep_to_its_end(tmp_path: Path, slurm: dict[str, str]) -> None:
    process = start(JOB, tmp_path, slurm, epochs=1)
    output = end(process)
    assert process.returncode == 0, output
    assert "1 of 1" in output
    assert "asks nobody for a token" not in output
    assert not Path(slurm["REQUEUED"]).exists()


def test_the_tasks_of_an_array_share_a_sweep(tmp_path: Path, slurm: dict[str, str]) -> None:
    tasks = [start(ARRAY, tmp_path, slurm, epochs=1) for _ in range(2)]
    outputs = [end(task) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], outputs
    assert all("1 of 1" in output for output in outputs)
    attempts = Store.open(tmp_path / "store").read("attempts").to_pylist()
    assert {row["kind"]: row["status"] for row in attempts} == dict.fromkeys(KINDS, "ok")
    assert len(attempts) == len(KINDS), "a stage was computed twice"


@pytest.mark.parametrize("script", [JOB, ARRAY], ids=["job", "array"])
def test_a_job_that_runs_out_of_time_is_queued_again(
    tmp_path: Path, slurm: dict[str, str], script: Path
) -> None:
    process = start(script, tmp_path, slurm, epochs=100_000)
    rows = "store/live/epochs/*.parquet"
    wait_until(
        lambda: any(tmp_path.glob(rows)) or process.poll() is not None, "an epoch", DEADLINE_S
    )
    process.send_signal(signal.SIGTERM)
    output = end(process)
    assert process.returncode == 143, output
    job = slurm["SLURM_JOB_ID"] if script is JOB else "4242_1"
    assert Path(slurm["REQUEUED"]).read_text().strip() == job
    assert list(tmp_path.glob("store/stages/search/*/*/attempts/a0001/RELEASED"))


@pytest.mark.skipif(not find_spec("aiohttp_cors"), reason='needs pip install "ray[default]"')
def test_a_sweep_runs_as_a_job_of_a_cluster(tmp_path: Path, slurm: dict[str, str]) -> None:
    port, dashboard = free_ports(2)
    env = slurm | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    (tmp_path / "mine.toml").write_text(SWEEP % 1)
    head = subprocess.Popen(
        [
            *("ray", "start", "--head", "--block", "--num-cpus=2", f"--port={port}"),
            *("--include-dashboard=true", f"--dashboard-port={dashboard}"),
        ],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: answers(dashboard), "the dashboard", DEADLINE_S)
        submitted = subprocess.run(
            [
                *("bash", SCRIPTS / "ray-job.sh", f"http://127.0.0.1:{dashboard}"),
                *(tmp_path / "mine.toml", tmp_path / "store", "--set", "retrain.epochs=1"),
            ],
            env=env,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert submitted.returncode == 0, submitted
        done = "store/stages/retrain/*/*/DONE.json"
        wait_until(lambda: any(tmp_path.glob(done)), "the retraining to be done", DEADLINE_S)
    finally:
        os.killpg(head.pid, signal.SIGKILL)


def free_ports(number: int) -> list[int]:
    """Ports on which nothing listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
