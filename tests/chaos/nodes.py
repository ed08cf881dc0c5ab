"""A Ray cluster on this machine, of processes that `ray start` starts, as on several machines."""

import itertools
import signal
import socket
import subprocess
import sys

import psutil
from processes import LONG_S, Processes
from tiny_sweeps import wait_until

RAY = (sys.executable, "-m", "ray.scripts.scripts")
ANY_PORTS = (
    "--min-worker-port=0",
    "--max-worker-port=0",
    "--dashboard-agent-listen-port=0",
    "--object-store-memory=80000000",
    "--disable-usage-stats",
)
"""Several nodes share one machine."""
STARTED = "Ray runtime started."


class Nodes:
    """A head that computes nothing, and nodes with room for one stage each.

    Args:
        processes: Start them; the environment has the token.
        number: How many nodes beside the head.
    """

    def __init__(self, processes: Processes, number: int) -> None:
        self._processes = processes
        self._numbers = itertools.count()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._head = self._start(
            "--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false"
        )
        self._nodes = [self._new_node() for _ in range(number)]
        self._dying: list[psutil.Process] = []

    def lose(self, raylet: psutil.Process) -> bool:
        """Kill the raylet of a node, and put a new node in its place; False if it is dying."""
        for node in self._nodes:
            if raylet in (family := _family(node)):
                raylet.kill()
                self._dying += family
                self._nodes.remove(node)
                self._nodes.append(self._new_node())
                return True
        return False

    def lose_head(self, part: str) -> None:
        """Kill a process of the head, such as its `raylet`, or `everything`: its power fails."""
        start, *others = _family(self._head)
        start.suspend()  # It would end the others.
        for process in others:
            if part in ("everything", process.name()):
                process.kill()

    def assert_lost_nodes_are_gone(self) -> None:
        """Nothing that ran on a node lives on without its raylet."""
        wait_until(lambda: not any(map(_lives, self._dying)), "lost nodes to end", LONG_S)

    def stop(self) -> None:
        """End the cluster as its owner would."""
        for node in self._nodes:
            node.terminate()
        for node in self._nodes:  # A node says goodbye to the head.
            node.wait()
        self._head.terminate()
        self._head.send_signal(signal.SIGCONT)
        self._head.wait()

    def _new_node(self) -> "subprocess.Popen[bytes]":
        return self._start(f"--address={self.address}", "--num-cpus=1")

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        said = self._processes.output.with_name(f"ray{next(self._numbers)}.txt")
        with said.open("wb") as output:
            process = subprocess.Popen(
                [*RAY, "start", "--block", *ANY_PORTS, *arguments],
                env=self._processes.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(
            lambda: STARTED in said.read_text() or process.poll() is not None, "a node", LONG_S
        )
        assert process.poll() is None, said.read_text()
        return process


def _family(node: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """A process of `ray start`, and all that it has started."""
    try:
        process = psutil.Process(node.pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
