import json
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from one_trial import run_trial
from repository import SUPPORT
from stored_images import png, write_images
from tiny_sweeps import SETTINGS, key_of, tiny_sweep, tiny_trials

from fairdarts.data.fingerprint import fingerprint
from orchestrate.errors import Diverged
from orchestrate.planning.images import with_current_images
from orchestrate.planning.plan import TrialSpec, given_trial, search_only_trial
from orchestrate.planning.settings import resolve
from orchestrate.planning.submission import submit
from orchestrate.running.retry import EVERY_KIND
from orchestrate.running.runner import run_here
from orchestrate.running.status import trial_status
from orchestrate.running.trial import failure_kind
from orchestrate.stages.lease import Attempt
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.state import stage_state
from results.query.aggregate import aggregate
from results.query.outcomes import trial_outcomes
from results.store.files import read_json
from results.store.store import Store

RUNTIME = Runtime("cpu", num_threads=1)
FULL_DISK = SUPPORT / "full_disk.py"
NUM_EPOCHS = 4
"""Of the tiny FairDARTS trial: two of search, two of retraining."""
TABLES = ("epochs", "genotypes", "retrains")
NOT_REPEATABLE = ["attempt", "wall_s", "images_per_s", "written_at"]


def stop_after(num_epochs: int) -> Callable[[], None]:
    """Interrupt, as Ctrl-C does, once that many epochs have been committed."""
    left = iter(range(num_epochs - 1))

    def on_epoch() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return on_epoch


def random_trials(*assignments: str) -> list[TrialSpec]:
    """One random baseline: a trial without a search."""
    return tiny_trials(*assignments, matrix={}, random=[{"models": 1}])


def interrupt(trial: TrialSpec, store: Store, num_epochs: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_trial(trial, store, RUNTIME, stop_after(num_epochs))


def numbers(store: Store, trial: TrialSpec) -> dict[str, list[dict[str, Any]]]:
    """All rows of the stages of a trial, without what differs from run to run."""
    keys = [stage.key for stage in trial.stages]
    order = {"epochs": ["kind", "epoch"]}
    tables = {}
    for name in TABLES:
        rows = store.read(name, keys).to_pylist()
        rows.sort(key=lambda row: [row[column] for column in order.get(name, ["stage_key"])])
        tables[name] = [{k: v for k, v in row.items() if k not in NOT_REPEATABLE} for row in rows]
    return tables


def stage_folder(store: Store, trial: TrialSpec, kind: str) -> Path:
    return store.stage_dir(kind, key_of(trial, kind))


def newest_checkpoint(store: Store, trial: TrialSpec, kind: str) -> Path:
    folder = stage_folder(store, trial, kind) / "checkpoints"
    return max(folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture(scope="module")
def trials() -> list[TrialSpec]:
    """FairDARTS, DARTS and a random baseline."""
    return tiny_trials(matrix={"method": ["fairdarts", "darts"]}, random=[{"models": 1}])


@pytest.fixture(scope="module")
def whole(trials: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with every trial run without a break."""
    store = Store.create(tmp_path_factory.mktemp("whole"))
    for trial in trials:
        assert run_trial(trial, store, RUNTIME) == "ok"
    return store


def test_every_epoch_of_every_stage_has_a_row(whole: Store, trials: list[TrialSpec]) -> None:
    epochs = whole.read("epochs").to_pandas().sort_values("epoch")
    found = {key: rows["epoch"].tolist() for key, rows in epochs.groupby("stage_key")}
    expected = [key_of(trial, "retrain") for trial in trials]
    expected += [key_of(trial, "search") for trial in trials[:2]]
    assert found == {key: [0, 1] for key in expected}
    assert (epochs["attempt"] == 1).all()


def test_rows_are_complete(whole: Store) -> None:
    epochs = whole.read("epochs").to_pandas()
    only_search = {"arch_loss", "arch_top1_pct", "zero_one_loss", "num_dominant"}
    only_search |= {"num_dominant_skip", "alphas", "gates"}
    only_retrain = {"test_loss", "test_top1_pct"}
    of_other_settings = ["stopping_value", "chosen_epoch", "val_loss", "val_top1_pct"]
    assert epochs[of_other_settings].isna().all(axis=None)
    by_kind = dict(list(epochs.drop(columns=of_other_settings).groupby("kind")))
    assert by_kind["search"].drop(columns=[*only_retrain]).notna().all(axis=None)
    assert by_kind["search"][[*only_retrain]].isna().all(axis=None)
    assert by_kind["retrain"].drop(columns=[*only_search]).notna().all(axis=None)
    assert by_kind["retrain"][[*only_search]].isna().all(axis=None)
    assert all(len(alphas) == 2 * 14 * 7 for alphas in by_kind["search"]["alphas"])

    attempts = whole.read("attempts").to_pandas()
    unused = ["failure_kind", "error_type", "error_message", "resumed_from_epoch", "bitwise"]
    unused += ["num_damaged", "energy_j"]
    assert attempts.drop(columns=unused).notna().all(axis=None)
    assert attempts[unused].isna().all(axis=None)
    assert (attempts["num_gpus"] == 0).all()
    assert attempts["kind"].value_counts().to_dict() == {
        "search": 2,
        "derive": 2,
        "sample": 1,
        "retrain": 3,
    }
    assert (attempts["status"] == "ok").all()

    genotypes = whole.read("genotypes").to_pandas().set_index("kind")
    assert genotypes["valid"].all()
    searched = ["search_key", "rule", "margin_normal", "margin_reduce", "stable_epochs"]
    assert genotypes.loc["derive", searched].notna().all(axis=None)
    assert genotypes.set_index("rule")["op_threshold"].dropna().to_dict() == {"threshold": 0.3}
    assert genotypes.loc["sample", [*searched, "op_threshold"]].isna().all()

    retrains = whole.read("retrains").to_pandas()
    of_other_settings = ["val_test_top1_pct", "val_epoch", "trained_as"]
    assert len(retrains) == 3 and retrains[of_other_settings].isna().all(axis=None)
    assert retrains.drop(columns=of_other_settings).notna().all(axis=None)


def test_the_headline_is_the_last_epoch_and_the_best_is_a_column_of_its_own(whole: Store) -> None:
    epochs = whole.read("epochs").to_pandas()
    for row in whole.read("retrains").to_pylist():
        tops = epochs[epochs["stage_key"] == row["stage_key"]].set_index("epoch")["test_top1_pct"]
        assert row["test_top1_pct"] == tops[1]
        assert row["best_test_top1_pct"] == tops.max() == tops[row["best_epoch"]]


def test_a_finished_trial_is_not_computed_again(whole: Store, trials: list[TrialSpec]) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.root.rglob("*")}
    for trial in trials:
        assert run_trial(trial, whole, RUNTIME, stop_after(1)) == "ok"
    assert before == {path: path.stat().st_mtime_ns for path in whole.root.rglob("*")}


@pytest.mark.parametrize(("number", "num_epochs"), [(1, 1), (2, 1), (2, 2)])
def test_an_interrupted_trial_ends_with_the_rows_of_an_uninterrupted_one(
    whole: Store, trials: list[TrialSpec], store: Store, number: int, num_epochs: int
) -> None:
    interrupt(trials[number], store, num_epochs)
    assert trial_status(store, trials[number]).status == "lost"
    assert len(store.read("epochs")) == num_epochs
    assert run_trial(trials[number], store, RUNTIME) == "ok"
    assert numbers(store, trials[number]) == numbers(whole, trials[number])
    (again,) = [row for row in store.read("attempts").to_pylist() if row["attempt"] == 2]
    assert (again["resumed_from_epoch"], again["bitwise"]) == (num_epochs - 1, True)


def test_a_trial_interrupted_after_every_epoch_computes_each_epoch_once(
    whole: Store, trials: list[TrialSpec], store: Store
) -> None:
    for _ in range(NUM_EPOCHS):
        interrupt(trials[0], store, num_epochs=1)
    assert run_trial(trials[0], store, RUNTIME) == "ok"
    assert numbers(store, trials[0]) == numbers(whole, trials[0])
    attempts = sorted(
        (row["kind"], row["epoch"], row["attempt"]) for row in store.read("epochs").to_pylist()
    )
    assert attempts == [
        ("retrain", 0, 1),
        ("retrain", 1, 2),
        ("search", 0, 1),
        ("search", 1, 2),
    ]
    # Nor does anybody who reads the bare folder see an epoch twice.
    bare = pd.read_parquet(store.root / "live" / "epochs")
    assert len(bare) == NUM_EPOCHS
    assert not bare.duplicated(["stage_key", "epoch"]).any()


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("search", "one"),
        ("retrain", "one"),
        ("retrain", "all"),
        ("retrain", "rows"),
        ("retrain", "damaged rows"),
        ("retrain", "both copies of the rows"),
    ],
)
def test_damage_to_what_an_interrupted_stage_left_costs_epochs_but_changes_no_number(
    whole: Store, trials: list[TrialSpec], store: Store, kind: str, damage: str
) -> None:
    trial = trials[0 if kind == "search" else 2]
    interrupt(trial, store, num_epochs=2)
    rows = store.live_path("epochs", f"{key_of(trial, kind)}.a0001")
    if damage == "one":
        newest_checkpoint(store, trial, kind).write_bytes(b"")
    elif damage == "all":
        for path in newest_checkpoint(store, trial, kind).parent.glob("*.safetensors"):
            path.write_bytes(path.read_bytes()[:-1])
    else:
        rows.write_bytes(rows.read_bytes()[:-20])
        if damage == "rows":
            rows.unlink()
        if damage == "both copies of the rows":
            for path in newest_checkpoint(store, trial, kind).parent.glob("*.parquet"):
                path.unlink()
    assert run_trial(trial, store, RUNTIME) == "ok"
    assert numbers(store, trial) == numbers(whole, trial)
    log = (stage_folder(store, trial, kind) / "attempts" / "a0002" / "log.txt").read_text()
    expected = {"one": "resuming after epoch 0", "all": "passed over"}
    expected["both copies of the rows"] = "starting over"
    assert expected.get(damage, "resuming after epoch 1") in log


def test_an_epoch_whose_checkpoint_was_never_written_is_computed_again_and_counted_once(
    whole: Store, trials: list[TrialSpec], store: Store
) -> None:
    interrupt(trials[2], store, num_epochs=2)
    newest = newest_checkpoint(store, trials[2], "retrain")
    newest.with_suffix(".json").unlink()
    newest.unlink()
    assert run_trial(trials[2], store, RUNTIME) == "ok"
    assert numbers(store, trials[2]) == numbers(whole, trials[2])


def test_an_interrupted_attempt_ends_as_lost_with_its_time(
    trials: list[TrialSpec], store: Store
) -> None:
    interrupt(trials[2], store, num_epochs=1)
    (row,) = (row for row in store.read("attempts").to_pylist() if row["kind"] == "retrain")
    assert (row["status"], row["ended_at"] > row["started_at"]) == ("lost", True)
    assert row["wall_s"] > 0


def test_an_attempt_whose_process_was_killed_is_ended_by_the_next_one(
    trials: list[TrialSpec], store: Store
) -> None:
    interrupt(trials[2], store, num_epochs=1)
    key = key_of(trials[2], "retrain")
    (row,) = store.read("attempts", [key]).to_pylist()
    killed = row | {"status": "running", "ended_at": None, "wall_s": None}
    store.write_rows("attempts", f"{key}.a0001", [killed])
    assert run_trial(trials[2], store, RUNTIME) == "ok"
    first, second = store.read("attempts", [key]).sort_by("attempt").to_pylist()
    assert (first["status"], second["status"]) == ("lost", "ok")
    assert first["started_at"] <= first["ended_at"] <= second["started_at"]
    assert first["wall_s"] == (first["ended_at"] - first["started_at"]).total_seconds()


def test_an_attempt_that_died_just_before_its_mark_did_not_finish_its_stage(
    trials: list[TrialSpec], store: Store
) -> None:
    assert run_trial(trials[2], store, RUNTIME) == "ok"
    StagePaths(stage_folder(store, trials[2], "retrain")).done.unlink()
    assert run_trial(trials[2], store, RUNTIME) == "ok"
    key = key_of(trials[2], "retrain")
    first, second = store.read("attempts", [key]).sort_by("attempt").to_pylist()
    assert (first["status"], second["status"]) == ("lost", "ok")
    assert first["ended_at"] <= second["started_at"]


def test_a_trial_waits_for_a_stage_that_another_live_process_computes(
    trials: list[TrialSpec], store: Store
) -> None:
    attempt = Attempt.take(stage_folder(store, trials[0], "search"))
    assert run_trial(trials[0], store, RUNTIME) == "held"
    assert len(store.read("attempts")) == 0
    attempt.release()


def test_trials_share_a_search(store: Store) -> None:
    first, second = tiny_trials("search.epochs=1", matrix={"retrain.epochs": [1, 2]})
    assert run_trial(first, store, RUNTIME) == run_trial(second, store, RUNTIME) == "ok"
    kinds = [row["kind"] for row in store.read("attempts").to_pylist()]
    assert sorted(kinds) == ["derive", "retrain", "retrain", "search"]


def test_another_threshold_derives_again_without_searching(
    whole: Store, trials: list[TrialSpec]
) -> None:
    before = len(whole.read("epochs"))
    sections = resolve("fairdarts", [tiny_sweep().settings | {"derive.op_threshold": 0.31}])
    assert run_trial(search_only_trial("fairdarts", sections, {}), whole, RUNTIME) == "ok"
    assert len(whole.read("epochs")) == before


def test_a_genotype_without_an_edge_ends_its_trial_as_invalid(store: Store) -> None:
    (trial,) = tiny_trials("derive.op_threshold=0.999999", "search.epochs=1")
    assert run_trial(trial, store, RUNTIME) == "invalid"
    (row,) = store.read("genotypes").to_pylist()
    assert row["valid"] is False and "normal" in row["invalid_reason"]
    status = trial_status(store, trial)
    assert (status.status, status.stage.kind, status.finished) == ("invalid", "derive", True)
    assert status.state.reason == row["invalid_reason"]
    assert len(store.read("retrains")) == 0
    assert run_trial(trial, store, RUNTIME) == "invalid"
    submit(store, "tiny", [trial], tiny_sweep().resources)
    assert trial_outcomes(store)["outcome"].tolist() == ["invalid"]


def test_a_given_genotype_is_retrained(whole: Store, trials: list[TrialSpec], store: Store) -> None:
    drawn = whole.read("genotypes", [key_of(trials[2], "sample")]).to_pylist()[0]
    sections = resolve("fairdarts", [tiny_sweep().settings])
    trial = given_trial("mine", json.loads(drawn["genotype_json"]), sections)
    assert run_trial(trial, store, RUNTIME) == "ok"
    columns = ["test_top1_pct", "best_test_top1_pct", "best_epoch", "params", "multadds"]
    its = whole.read("retrains", [trials[2].trial_id], columns)
    assert store.read("retrains", [trial.trial_id], columns) == its


def test_accuracy_of_the_epoch_chosen_on_held_out_images_is_a_column_of_its_own(
    store: Store,
) -> None:
    (trial,) = random_trials("retrain.num_validation=20", "retrain.epochs=4")
    assert run_trial(trial, store, RUNTIME) == "ok"
    epochs = store.read("epochs").to_pandas().set_index("epoch")
    (row,) = store.read("retrains").to_pylist()
    assert row["val_epoch"] == epochs["val_top1_pct"].idxmax()
    assert row["val_test_top1_pct"] == epochs["test_top1_pct"][row["val_epoch"]]


@pytest.mark.parametrize("damage", ["changed", "gone", "corrupt"])
def test_images_that_fail_a_stage_fail_it_with_their_reason_until_they_are_repaired(
    tmp_path: Path, store: Store, damage: str
) -> None:
    folder = tmp_path / "images"
    images = [png(20 * index) for index in range(12)]
    bad = [images[0][:40], *images[1:]]
    write_images(folder, bad if damage == "corrupt" else images)
    (trial,) = random_trials(f"data=parquet:{folder}", "data.num_train=12", "data.num_test=4")
    if damage == "changed":
        write_images(folder, [png(1), *images[1:]])
    elif damage == "gone":
        (folder / "train.parquet").rename(folder / "hidden")
    assert run_trial(trial, store, RUNTIME) == "failed"

    (row,) = store.read("attempts", [key_of(trial, "retrain")]).to_pylist()
    failure = (row["status"], row["failure_kind"], row["error_type"])
    own_fault = damage == "corrupt"
    kind, error = ("exception", "DataError") if own_fault else ("wrong_images", "WrongImages")
    assert failure == ("failed", kind, error)
    assert str(folder) in row["error_message"] and row["ended_at"] is not None
    status = trial_status(store, trial)
    assert (status.status, status.state.num_failures) == ("failed", int(own_fault))
    assert f"{error}: {row['error_message']}".startswith(status.state.reason)
    assert status.state.log is not None and "Traceback" in status.state.log.read_text()

    if damage == "gone":
        (folder / "hidden").rename(folder / "train.parquet")
    else:
        write_images(folder, images)
    if own_fault:  # Repaired images are other images: another stage, with attempts of its own.
        (trial,) = with_current_images([trial], fingerprint)
    assert run_trial(trial, store, RUNTIME) == "ok"
    tries = store.read("attempts", [key_of(trial, "retrain")]).to_pylist()
    expected = [(1, "ok")] if own_fault else [(1, "failed"), (2, "ok")]
    assert [(row["attempt"], row["status"]) for row in tries] == expected


def test_images_that_change_beneath_a_training_fail_it_without_costing_an_attempt(
    tmp_path: Path, store: Store
) -> None:
    folder = tmp_path / "images"
    images = [png(20 * index) for index in range(12)]
    write_images(folder, images)
    (trial,) = random_trials(
        f"data=parquet:{folder}",
        "data.augmentation=resized_crop",
        "data.num_train=12",
        "data.num_test=4",
    )

    def change() -> None:
        write_images(folder, [png(1), *images[1:]])

    assert run_trial(trial, store, RUNTIME, on_epoch=change) == "failed"
    status = trial_status(store, trial)
    assert (status.status, status.state.num_failures) == ("failed", 0)
    assert "images have changed since the sweep was planned" in status.state.reason
    assert store.read("retrains").num_rows == 0
    write_images(folder, images)
    assert run_trial(trial, store, RUNTIME) == "ok"
    assert store.read("epochs").to_pandas()["epoch"].tolist() == [0, 1]


def test_a_loss_that_is_not_finite_fails_the_search_as_diverged(store: Store) -> None:
    (trial,) = tiny_trials("search.weight_lr=1e20", "search.epochs=5")
    assert run_trial(trial, store, RUNTIME) == "failed"
    (row,) = store.read("attempts").to_pylist()
    assert (row["failure_kind"], row["error_type"]) == ("diverged", "Diverged")
    assert row["error_message"].startswith("the training loss is ")
    losses = store.read("epochs").to_pandas()["train_loss"]
    assert not losses.iloc[-1] < float("inf")


def test_alphas_that_the_last_step_spoils_fail_the_search_and_not_the_derivation(
    store: Store,
) -> None:
    one_step = ("search.epochs=1", "search.batch_size=40", "search.optimization=single_level")
    (trial,) = tiny_trials("search.zero_one_weight=1e308", *one_step)
    assert run_trial(trial, store, RUNTIME) == "failed"
    (row,) = store.read("attempts").to_pylist()
    assert (row["kind"], row["failure_kind"]) == ("search", "diverged")
    assert row["error_message"] == "a gate is not a number after epoch 0"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Diverged(), "diverged"),
        (MemoryError(), "oom"),
        (OSError(28, "No space left on device"), "disk_full"),
        (OSError(122, "Disk quota exceeded"), "disk_full"),
        (OSError(5, "Input/output error"), "exception"),
        (ValueError(), "exception"),
    ],
)
def test_failures_have_a_class(error: Exception, kind: str) -> None:
    assert failure_kind(error) == kind


def test_on_a_full_disk_a_stage_is_lost_and_continues_once_there_is_room(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=64m tmpfs {tmp_path}"
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if sys.platform != "linux" or subprocess.run([*unshare, mount], check=False).returncode:
        pytest.skip("needs a small file system of its own")
    script = f"{mount} && exec {sys.executable} {FULL_DISK} {tmp_path}"
    done = subprocess.run([*unshare, script], capture_output=True, text=True, check=False)
    ended, reason, *rest = done.stdout.splitlines()
    assert ended == "lost retrain", done.stderr
    assert reason.startswith("reason OSError: [Errno 28] No space left on device: '")
    assert reason.endswith(".safetensors'")  # the file itself, not the temporary one beside it
    assert rest == ["kind disk_full", "temporary files 0", "done retrain"]


def test_running_here_ends_with_a_status_for_every_trial_and_retries_only_on_request(
    tmp_path: Path, store: Store
) -> None:
    folder = tmp_path / "images"
    write_images(folder, [b"not an image", *(png(20 * index) for index in range(11))])
    (bad,) = random_trials(f"data=parquet:{folder}", "data.num_train=12", "data.num_test=4")
    (good,) = random_trials()
    resources = tiny_sweep("resources.max_attempts=3").resources
    submission = submit(store, "tiny", [bad, good], resources)

    def run(retry: Collection[str] = ()) -> tuple[list[str], int]:
        statuses = run_here(store, submission, retry=retry)
        return [status.status for status in statuses], statuses[0].state.num_failures

    assert run() == (["failed", "done"], 1)
    assert run() == (["failed", "done"], 1)
    assert run(EVERY_KIND) == (["failed", "done"], 2)
    assert run(EVERY_KIND) == (["failed", "done"], 3)
    assert run(EVERY_KIND) == (["failed", "done"], 3)  # Out of attempts.
    outcomes = trial_outcomes(store)
    assert outcomes["outcome"].tolist() == ["failed", "ok"]
    assert "DataError" in outcomes["reason"][0]


def test_the_spec_of_a_stage_lies_beside_its_results(whole: Store, trials: list[TrialSpec]) -> None:
    for stage in trials[0].stages:
        spec = read_json(whole.stage_dir(stage.kind, stage.key) / "SPEC.json")
        assert (spec["key"], spec["config"], spec["parent"]) == (
            stage.key,
            stage.config,
            stage.parent,
        )
        assert stage_state(whole.stage_dir(stage.kind, stage.key)).status == "done"


@pytest.fixture
def damaged(tmp_path: Path) -> TrialSpec:
    """A trial whose images are not all readable: 2 of 12 to train on, 1 of 4 to test on."""
    train = [png(20 * index) for index in range(12)]
    train[3], train[6] = b"not an image", png(120)[:30]
    write_images(tmp_path / "images", train, [*(png(50 * index) for index in range(3)), b""])
    streamed = {"augmentation": "resized_crop", "damaged": "skip", "image_size": 8}
    settings = SETTINGS | {"data": {"source": f"parquet:{tmp_path / 'images'}", **streamed}}
    (trial,) = tiny_trials(settings=settings)
    return trial


def test_damaged_images_are_named_in_the_log_counted_in_the_row_and_noted_in_the_table(
    store: Store, damaged: TrialSpec, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_trial(damaged, store, RUNTIME) == "ok"
    rows = {row["kind"]: row for row in store.read("attempts").to_pylist()}
    assert {kind: row["num_damaged"] for kind, row in rows.items()} == {
        "search": 2,
        "derive": None,
        "retrain": 3,
    }
    for kind, names in {
        "search": ["train.parquet, row 3 ", "train.parquet, row 6 "],
        "retrain": ["train.parquet, row 3 ", "train.parquet, row 6 ", "test.parquet, row 3 "],
    }.items():
        log = (stage_folder(store, damaged, kind) / "attempts/a0001/log.txt").read_text()
        named = [line for line in log.splitlines() if "left out: " in line]
        assert len(named) == len(names)
        assert all(sum(name in line for line in named) == 1 for name in names)
    assert not caplog.records

    submit(store, "tiny", [damaged], tiny_sweep().resources)
    (group,) = aggregate(trial_outcomes(store)).to_dict("records")
    assert group["complete"]
    assert group["notes"] == (
        f"1 of 1 left out damaged images (up to 3, named in the logs of trial {damaged.trial_id})",
    )


def test_damaged_images_of_an_attempt_that_was_interrupted_are_counted(
    store: Store, damaged: TrialSpec
) -> None:
    interrupt(damaged, store, num_epochs=1)
    (row,) = store.read("attempts").to_pylist()
    assert (row["kind"], row["status"], row["num_damaged"]) == ("search", "lost", 2)


def test_no_number_of_damaged_images_says_that_all_were_readable(
    tmp_path: Path, store: Store
) -> None:
    write_images(tmp_path / "images")
    how = ("data.augmentation=resized_crop", "data.damaged=skip", "data.num_train=12")
    (trial,) = random_trials(f"data=parquet:{tmp_path / 'images'}", *how, "data.num_test=4")
    assert run_trial(trial, store, RUNTIME) == "ok"
    counts = {row["kind"]: row["num_damaged"] for row in store.read("attempts").to_pylist()}
    assert counts == {"sample": None, "retrain": 0}
    submit(store, "tiny", [trial], tiny_sweep().resources)
    assert aggregate(trial_outcomes(store))["notes"].tolist() == [()]
