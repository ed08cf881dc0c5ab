"""Looks at every node of a cluster before its first trial: could it compute and record one?

A node that could not would otherwise cost every trial that Ray places on it, one by one, and some
of them end without a word: a process that cannot import this package has no way to write why.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fairdarts.data.fingerprint import stored_state
from fairdarts.errors import DataError
from orchestrate.errors import ClusterError, first_line
from orchestrate.planning.images import data_settings
from orchestrate.planning.plan import TrialSpec
from orchestrate.stages import nvml
from orchestrate.stages.runtime import versions
from results.errors import ResultsError, StoreError
from results.store.files import write_whole
from results.store.store import Store

ANSWER_WITHIN_S = 120.0
"""A node starts a process for this and imports torch."""
DEATH_WITHIN_S = 30.0
"""In less, Ray notices that a node has died."""
MAX_CLOCK_S = 30.0
"""More than this between two clocks makes times in the tables hard to read."""
SAME_BITS = ("torch", "numpy")
"""Packages whose version decides about the last bits of a result."""


@dataclass(frozen=True)
class Node:
    """What one node says of itself."""

    versions: dict[str, str]
    clock: float
    """Seconds since the epoch."""
    has_token: bool
    """Whether the cluster asks everyone who connects for a token."""
    gpu_bytes: int | None = None
    """Memory of its smallest GPU; None: it has none, or does not know."""
    fault: str = ""
    """Why it cannot compute trials; nothing if it can."""


@dataclass(frozen=True)
class Examined:
    """What is known of a cluster whose nodes all can compute."""

    warnings: list[str]
    """What will work but should be known."""
    gpu_bytes: int | None
    """Memory of the smallest GPU; None: there is none, or nobody knows."""


def check_nodes(store: Store, trials: list[TrialSpec]) -> Examined:
    """Ask every node of the cluster that this process has joined.

    Args:
        store: Every node must see it, under the same path, and be able to write to it.
        trials: Every node must have their images.
    Raises:
        ClusterError: If a node could not compute the trials; it names each with its reason.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Sent by value: on a node without this package it must still be able to say so.
    @ray.remote(num_cpus=0)
    def ask(root: str, mark: str, data: list[dict[str, Any]], num_gpus: int) -> Any:
        try:
            from orchestrate.running.preflight import this_node
        except ImportError as error:
            return f"fairdarts cannot be imported there ({error}): install it on every node"
        return this_node(root, mark, data, num_gpus)

    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    began = time.time()
    with _marked(store) as mark:
        answers = {
            node["NodeID"]: ask.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(str(store.root), mark, _data_of(trials), int(node["Resources"].get("GPU", 0)))
            for node in alive
        }
        until = time.monotonic() + ANSWER_WITHIN_S
        found: dict[str, Any] = {}
        for node in alive:
            answer = _answer(node["NodeID"], answers[node["NodeID"]], until)
            if answer is not None:
                found[f"{node['NodeManagerHostname']} (node {node['NodeID'][:8]})"] = answer
    nodes = {name: said for name, said in found.items() if isinstance(said, Node)}
    faults = [f"{name}: {said}" for name, said in found.items() if isinstance(said, str)]
    faults += [f"{name}: {node.fault}" for name, node in nodes.items() if node.fault]
    if faults:
        raise ClusterError(
            f"{len(faults)} of the cluster's {len(alive)} nodes cannot compute these trials: "
            f"{'; '.join(faults)}. Mend them, or take them out of the cluster."
        )
    memories = [node.gpu_bytes for node in nodes.values() if node.gpu_bytes is not None]
    return Examined(_warnings(nodes, began), min(memories, default=None))


def this_node(root: str, mark: str, data: list[dict[str, Any]], num_gpus: int = 0) -> Node:
    """What this machine can say of itself.

    Args:
        root: Path of the store.
        mark: Name of a file that the driver has just put there.
        data: The `data` sections of stages, with their fingerprints.
        num_gpus: How many of its GPUs trials get.
    """
    fault = ""
    try:
        store = Store.open(root)
        store.check_writable()
        if not (store.root / mark).exists():
            raise StoreError(f"{root} is another folder there: the store must be on a shared disk")
        for settings in data:
            config = data_settings(settings)
            for split in settings["fingerprints"]:
                stored_state(config, split)
    except (ResultsError, DataError, OSError) as error:
        fault = first_line(error).rstrip(".")
    has_token = os.environ.get("RAY_AUTH_MODE", "") == "token"
    return Node(versions(), time.time(), has_token, nvml.smallest_memory(num_gpus), fault)


@contextmanager
def _marked(store: Store) -> Iterator[str]:
    """A file in the store for the length of the block, by which other machines know it again."""
    path = store.root / f".mark-{secrets.token_hex(8)}.tmp"
    write_whole(path, b"")
    try:
        yield path.name
    finally:
        path.unlink(missing_ok=True)


def _answer(node_id: str, reference: Any, until: float) -> Any:
    """What a node says, or why it says nothing; None if it has died: nothing will start there."""
    import ray

    try:
        return ray.get(reference, timeout=max(0.0, until - time.monotonic()))
    except ray.exceptions.GetTimeoutError:
        fault = f"it did not answer within {ANSWER_WITHIN_S:.0f} s"
    except ray.exceptions.RayError as error:
        fault = f"no process starts there ({first_line(error)})"
    return None if _dies(node_id) else fault


def _dies(node_id: str) -> bool:
    """Whether a node leaves the cluster; Ray notices within seconds."""
    import ray

    until = time.monotonic() + DEATH_WITHIN_S
    while time.monotonic() < until:
        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        if not any(node["Alive"] and node["NodeID"] == node_id for node in nodes):
            return True
        time.sleep(1.0)
    return False


def _data_of(trials: list[TrialSpec]) -> list[dict[str, Any]]:
    """The different `data` sections of some trials."""
    found: list[dict[str, Any]] = []
    for trial in trials:
        for stage in trial.stages:
            data = stage.config.get("data")
            if data is not None and data not in found:
                found.append(data)
    return found


def _warnings(nodes: dict[str, Node], began: float) -> list[str]:
    warnings = []
    here = versions()
    for name, node in nodes.items():
        for package in SAME_BITS:
            if node.versions.get(package) != here.get(package):
                warnings.append(
                    f"{name} has {package} {node.versions.get(package)}, this machine has "
                    f"{here.get(package)}: results may differ in the last bits."
                )
        if not began - MAX_CLOCK_S < node.clock < time.time() + MAX_CLOCK_S:
            warnings.append(f"the clock of {name} differs: times in the tables will, too.")
    if nodes and not all(node.has_token for node in nodes.values()):
        warnings.append(
            "the cluster asks nobody for a token: whoever reaches its ports can run code on it. "
            "Start it with RAY_AUTH_MODE=token (`ray get-auth-token --generate` first)."
        )
    return warnings
