"""A process that seals, deletes or imports is killed at a random moment: the store is whole."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recorded_trials import answers, copy, write_sweeps
from repository import ROOT, SUPPORT
from tiny_sweeps import tiny_trials

from orchestrate.running.exporting import export_sweep
from results.store.store import Store

KILLS = 12


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", ["seal", "delete", "import"])
def test_a_kill_at_any_moment_leaves_the_store_as_before_or_after(
    verb: str, tmp_path: Path
) -> None:
    mine = tiny_trials(matrix={"seed": [0, 1, 2]})
    other = tiny_trials("retrain.epochs=3", matrix={"seed": [0, 9]})
    whole = Store.create(tmp_path / "whole")
    write_sweeps(whole, mine, other, is_sealed=False)
    folder = tmp_path / "folder"
    export_sweep(whole, "mine", folder, weights=False)
    before = Store.create(tmp_path / "empty") if verb == "import" else whole
    after = copy(before, tmp_path / "after")
    took_s = run(verb, after, folder, None)
    allowed = [answers(before), answers(after)]
    chance, seen = random.Random(14), []

    for number in range(KILLS):
        store = copy(before, tmp_path / f"{number}")
        run(verb, store, folder, chance.uniform(0, took_s))
        found = answers(store)
        assert found in allowed, f"kill {number}"
        seen.append(allowed.index(found))
        run(verb, store, folder, None, may_fail=verb == "delete" and found == allowed[1])
        # Numbers of submissions and attempts may have gone on.
        assert answers(store)["statuses"] == allowed[1]["statuses"], f"kill {number}, then again"
    print(f"{verb}: {seen.count(0)} as before, {seen.count(1)} as after")


def run(
    verb: str, store: Store, folder: Path, kill_after_s: float | None, may_fail: bool = False
) -> float:
    """Let a process change the store, kill it after a time, and return how long it took."""
    command = [sys.executable, SUPPORT / "store_changer.py", verb, store.root, folder]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.stdin.write("\n")
        process.stdin.flush()
        try:
            process.wait(kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
        else:
            assert may_fail or process.stdout.readline() == "done\n"
        return time.monotonic() - began
