"""NVIDIA's MPS: kernels of several processes run on a GPU at the same time, not in turn."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"
READY_WITHIN_S = 5.0
ANSWER_WITHIN_S = 10.0


class NoMps(Exception):
    """MPS cannot be had, for the reason that the message gives."""


class Mps:
    """A daemon of our own, which other processes of this machine do not see."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            "CUDA_MPS_PIPE_DIRECTORY": str(folder),
            "CUDA_MPS_LOG_DIRECTORY": str(folder),
        }
        """What its clients need before they touch the GPU."""

    def ask(self, command: str) -> str:
        """What the daemon answers; nothing if it does not."""
        try:
            return subprocess.run(
                [CONTROL],
                input=f"{command}\n",
                env=os.environ | self.environment,
                capture_output=True,
                text=True,
                timeout=ANSWER_WITHIN_S,
                check=False,
            ).stdout.strip()
        except subprocess.TimeoutExpired:
            return ""

    def has_served(self) -> bool:
        """Whether a client has come to it: without it, clients share the GPU as ever."""
        return bool(self.ask("get_server_list"))


@contextmanager
def mps() -> Iterator[Mps]:
    """The daemon for the length of the block; it needs no root.

    Raises:
        NoMps: If it is not installed or does not start.
    """
    if shutil.which(CONTROL) is None:
        raise NoMps(f"{CONTROL} is not installed")
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        daemon = Mps(Path(folder))
        with subprocess.Popen(
            # In the foreground: it then ends with the process group of this part in any case.
            [CONTROL, "-f"],
            env=os.environ | daemon.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                _wait_until_ready(process, Path(folder))
                yield daemon
                daemon.ask("quit")
            finally:
                process.kill()


def _wait_until_ready(process: "subprocess.Popen[str]", folder: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not (folder / "control").exists():
        if process.poll() is not None:
            said = process.stdout.read().strip() if process.stdout else ""
            raise NoMps(f"{CONTROL} ended at once: {said[:150] or 'it says nothing'}")
        if time.monotonic() > deadline:
            raise NoMps(f"{CONTROL} was not ready after {READY_WITHIN_S:.0f} s")
        time.sleep(0.05)
