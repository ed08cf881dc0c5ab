"""What the commands cost on a store: python -m benchmarks.store_times STORE [COMMAND...]

Runs each command in a process of its own, as a person would, and prints its wall and CPU seconds
with the start of Python, and its peak memory. STORE is made by `benchmarks.made_store`.
"""

# Imports little: a process that is started here counts the memory of this one as its own.
import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from results.store.store import Store

SWEEP = "made"
SEARCH_EPOCHS, RETRAIN_EPOCHS = 50, 10
ONE_EDGE = (
    "SELECT epoch, avg(gate) FROM alphas WHERE cell = 'normal' AND edge = 3 AND operation = "
    "'skip_connect' GROUP BY epoch ORDER BY epoch"
)
LAST_EPOCH = f"""
    SELECT method, operation, count(*) FROM alphas JOIN trials ON stage_key = search_key
    WHERE epoch = {SEARCH_EPOCHS - 1} AND gate > 0.75 GROUP BY ALL
"""  # noqa: S608
BY_METHOD = "SELECT method, count(*), avg(test_top1_pct) FROM outcomes GROUP BY method"
CURVES = (
    "SELECT method, epoch, avg(train_loss) FROM epochs JOIN trials ON stage_key = retrain_key "
    "GROUP BY ALL"
)
PANDAS = "pandas one trial"
PANDAS_ONE_TRIAL = """
import glob, pandas
files = glob.glob("{root}/sealed/epochs/*") + glob.glob("{root}/live/epochs/*.parquet")
columns = ["stage_key", "epoch", "gates"]
epochs = pandas.concat([pandas.read_parquet(file, columns=columns) for file in files])
print(epochs[epochs["stage_key"] == "{search}"])
"""
ALL_ALPHAS = "SELECT epoch, operation, avg(gate) FROM alphas GROUP BY ALL"


def main() -> None:
    """Print the table for the store and the commands of the command line."""
    parser = argparse.ArgumentParser(description="What the commands cost on a store.")
    parser.add_argument("store", type=Path, metavar="STORE")
    parser.add_argument("commands", nargs="*", metavar="COMMAND")
    given = parser.parse_args()
    print(f"{'':16}{'wall s':>8}{'CPU s':>8}{'MiB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        commands = _commands(Store.open(given.store), Path(folder))
        for name in given.commands or [name for name in commands if name not in ("seal", PANDAS)]:
            wall_s, cpu_s, mib = _measured(name, [*commands[name], "--store", str(given.store)])
            print(f"{name:16}{wall_s:8.2f}{cpu_s:8.2f}{mib:8.0f}", flush=True)


def sweep_text(num_trials: int) -> str:
    """The sweep file of that many trials, which must be even: two methods share the seeds."""
    return f"""
[settings]
data.source = "digits"
data.num_train = 240
data.num_test = 100
search.epochs = {SEARCH_EPOCHS}
retrain.epochs = {RETRAIN_EPOCHS}

[matrix]
method = ["fairdarts", "darts"]
seed = {list(range(num_trials // 2))}
"""


def _commands(store: Store, folder: Path) -> dict[str, list[str]]:
    """The arguments of `fairdarts` for each command; `folder` is for the sweep file."""
    ids = store.read("trials", columns=["trial_id", "search_key"])
    trial, search = (column[len(ids) // 2].as_py() for column in ids.columns)
    of_trial = f"SELECT epoch, operation, gate FROM alphas WHERE stage_key = '{search}'"  # noqa: S608
    sweep_file = folder / f"{SWEEP}.toml"
    sweep_file.write_text(sweep_text(len(ids)))
    sql = ["results", "sql", "--timeout", "600", "--format", "csv"]
    return {
        "help": ["--help"],
        "table": ["results", "table"],
        "status": ["sweep", "status", SWEEP],
        "plan": ["sweep", "plan", str(sweep_file)],
        "run again": ["sweep", "run", str(sweep_file)],
        "show": ["show", trial],
        "best": ["results", "best", "--by", "test"],
        "sql by method": [*sql, BY_METHOD],
        "sql one trial": [*sql, of_trial],
        "sql curves": [*sql, CURVES],
        "sql last epoch": [*sql, LAST_EPOCH],
        "sql one edge": [*sql, ONE_EDGE],
        "sql all alphas": [*sql, ALL_ALPHAS],
        "store check": ["store", "check"],
        "seal": ["results", "compact"],
        PANDAS: [PANDAS_ONE_TRIAL.format(root=str(store.root), search=search)],
    }


def _measured(name: str, arguments: list[str]) -> tuple[float, float, float]:
    """Wall and CPU seconds, and peak memory in MiB, of one command."""
    program = str(Path(sys.executable).with_name("fairdarts"))
    if name == "help":
        arguments = arguments[:1]
    if name == PANDAS:  # What a person would do who reads the files of the store without us.
        program, arguments = sys.executable, ["-c", arguments[0]]
    with tempfile.TemporaryFile() as output:
        to_file = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1)]
        began = time.perf_counter()
        child = os.posix_spawn(program, [program, *arguments], os.environ, file_actions=to_file)
        _, status, used = os.wait4(child, 0)
        wall_s = time.perf_counter() - began
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    return wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
