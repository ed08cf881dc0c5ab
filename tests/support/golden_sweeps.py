"""Makes the golden sweep of a version: python tests/support/golden_sweeps.py CODE ARCHIVE.

CODE is a folder with the source code of that version, ARCHIVE the file to write, such as
`tests/data/sweeps/1.4.tar.xz`. Run it once for each version of the schema that is released. In the
archive are a store, made by the code of that version, and what that code read from it then. The
sweep is `tests/data/sweeps/golden.toml`: seed 0 and the random model are done, seed 1 stopped in
its search after two epochs of three, seed 2 failed.
"""

import contextlib
import importlib
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

SWEEP = Path(__file__).parents[1] / "data" / "sweeps" / "golden.toml"
COLUMNS = {
    "trials": ("trial_id", "label", "method", "space", "search_seed", "retrain_seed"),
    "attempts": ("stage_key", "attempt", "kind", "status", "failure_kind", "error_message"),
    "epochs": ("stage_key", "epoch", "train_loss", "test_top1_pct", "alphas"),
    "genotypes": ("stage_key", "genotype_json"),
    "retrains": ("stage_key", "test_top1_pct", "params", "multadds"),
}
"""What every version has."""
MODULES = {
    "Store": ("results.store.store", "results.store"),
    "load_sweep": ("orchestrate.planning.sweep_file", "orchestrate.sweep"),
    "plan": ("orchestrate.planning.plan", "orchestrate.plan"),
    "submit": ("orchestrate.planning.submission", "orchestrate.submission"),
    "Runtime": ("orchestrate.stages.runtime", "orchestrate.runtime"),
    "run_trial": ("one_trial", "orchestrate.running.trial", "orchestrate.trial"),
}
"""Modules that have had it, the newest first."""


def rows_of(store: Any) -> dict[str, list[list[Any]]]:
    """The rows of a store, in an order that does not depend on its files."""
    return {
        table: sorted(
            ([row[column] for column in columns] for row in store.read(table).to_pylist()), key=str
        )
        for table, columns in COLUMNS.items()
    }


def main() -> None:
    """Compute the sweep with the code of the version, and pack what it leaves."""
    code, archive = Path(sys.argv[1]).absolute(), Path(sys.argv[2])
    sys.path[:0] = [str(code), str(code / "tests" / "support")]
    with tempfile.TemporaryDirectory() as folder:
        rows = _compute(Path(folder) / "store")
        (Path(folder) / "rows.json").write_text(json.dumps(rows))
        with tarfile.open(archive, "w:xz") as packed:
            for name in ("store", "rows.json"):
                packed.add(Path(folder) / name, name)


def _compute(root: Path) -> dict[str, list[list[Any]]]:
    of_version = _imported()
    store, sweep = of_version["Store"].create(root), of_version["load_sweep"](str(SWEEP))
    trials = of_version["plan"](sweep)
    of_version["submit"](store, "golden", trials, sweep.resources)
    for trial in trials:
        interrupted = "seed=1" in trial.label
        fails_at = {"seed=1": 3, "seed=2": 1}.get(trial.label.rpartition(" ")[2], 0)
        error = KeyboardInterrupt() if interrupted else ValueError("the alphas are too small")
        with _failing(of_version["Store"], fails_at, error), contextlib.suppress(KeyboardInterrupt):
            of_version["run_trial"](trial, store, of_version["Runtime"]("cpu", 1))
    _remove_checkpoints(root)
    return rows_of(store)


def _imported() -> dict[str, Any]:
    """What is used of the version, wherever its modules are."""
    found = {}
    for name, modules in MODULES.items():
        for module in modules:
            with contextlib.suppress(ImportError, AttributeError):
                found[name] = getattr(importlib.import_module(module), name)
                break
    return found


@contextlib.contextmanager
def _failing(store: Any, at: int, error: BaseException) -> Iterator[None]:
    """Let that write of epochs fail; 0: none."""
    number, write_rows = 0, store.write_rows

    def write(self: Any, table: str, name: str, rows: Any) -> None:
        nonlocal number
        number += table == "epochs"
        if table == "epochs" and number == at:
            raise error
        write_rows(self, table, name, rows)

    with patch.object(store, "write_rows", write):
        yield


def _remove_checkpoints(root: Path) -> None:
    """Remove those that nothing continues from; they are most of the store."""
    for folder in root.glob("stages/*/*/*/checkpoints"):
        for path in sorted(folder.iterdir()):
            if (folder.parent / "DONE.json").exists() or "e000001" in path.name:
                path.unlink()


if __name__ == "__main__":
    main()
