"""Starts a cluster of two nodes and has them examined; prints what comes of it, line by line.

Usage: node_check.py STORE FOLDER, the folder of images that trials need and that is removed then.
"""

import shutil
import sys
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from tiny_sweeps import tiny_trials

from orchestrate.errors import ClusterError
from orchestrate.running.preflight import check_nodes
from results.store.store import Store


def main() -> None:
    store, folder = Store.create(sys.argv[1]), Path(sys.argv[2])
    trials = tiny_trials(f"data=folder:{folder}", "data.num_train=4", "data.num_test=4")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
    print("warnings", check_nodes(store, trials).warnings)
    shutil.rmtree(folder)
    try:
        check_nodes(store, trials)
    except ClusterError as error:
        print("refused", error)
    print("left", sorted(path.name for path in store.root.iterdir()))
    ray.shutdown()
    nodes.shutdown()


if __name__ == "__main__":
    main()
