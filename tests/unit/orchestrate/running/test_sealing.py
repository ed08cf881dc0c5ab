"""A sealed store is run, resumed, read and repaired like any other."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import exit_code
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import submit
from orchestrate.running import sealing as sealing_module
from orchestrate.running.clean import needless_checkpoints
from orchestrate.running.cost import sweep_cost
from orchestrate.running.faults import repair
from orchestrate.running.runner import run_here
from orchestrate.running.sealing import seal_finished, sealing
from orchestrate.running.status import sweep_status
from orchestrate.running.store_check import store_faults
from orchestrate.stages.lease import Attempt
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.trained import trained_network
from orchestrate.statuses import Status
from results.errors import DamagedFile
from results.query.outcomes import trial_outcomes
from results.schema import SCHEMA
from results.store.layout import SEALED
from results.store.store import Store

TABLES = ("trials", "attempts", "epochs", "genotypes", "retrains")


@pytest.fixture(scope="module")
def trials() -> list[TrialSpec]:
    return tiny_trials(matrix={"seed": [0, 1]}, random=[{"models": 1}])


@pytest.fixture(scope="module")
def whole(trials: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two of three trials are finished."""
    store = Store.create(tmp_path_factory.mktemp("whole"))
    submission = submit(store, "tiny", [trials[0], trials[2]], tiny_sweep().resources)
    run_here(store, submission)
    submit(store, "tiny", trials, tiny_sweep().resources)
    return store


@pytest.fixture
def store(whole: Store, tmp_path: Path) -> Store:
    """A sealed copy of it."""
    shutil.copytree(whole.root, tmp_path / "store")
    store = Store.open(tmp_path / "store")
    assert seal_finished(store) == 5  # search, derive, retrain; sample, retrain
    return store


def answers(store: Store, trials: list[TrialSpec]) -> Iterator[object]:
    for table in TABLES:
        keys = SCHEMA[table].key
        yield store.read(table).sort_by([(name, "ascending") for name in keys]).to_pylist()
    yield trial_outcomes(store).to_dict("records")
    for status in sweep_status(store, trials):
        state = status.state
        yield status.status, status.stage, state.outcome, state.attempt
    cost = sweep_cost(store, trials)
    yield cost.slot_s, cost.elapsed_s


def test_every_answer_is_that_of_the_live_files(
    whole: Store, store: Store, trials: list[TrialSpec]
) -> None:
    assert repr(list(answers(store, trials))) == repr(list(answers(whole, trials)))
    assert not list(store.root.glob("live/epochs/*"))
    weights, _ = trained_network(store, trials[0].trial_id)
    assert weights is not None
    before = {path.name for path in needless_checkpoints(whole, trials, keep_weights=True)}
    assert {path.name for path in needless_checkpoints(store, trials, keep_weights=True)} == before
    assert not list(store_faults(store))


def test_a_sealed_stage_is_done_whatever_its_folder_says(
    store: Store, trials: list[TrialSpec]
) -> None:
    paths = StagePaths(store.stage_dir("search", key_of(trials[0], "search")))
    shutil.rmtree(paths.folder)

    assert sweep_status(store, trials)[0].status == Status.DONE


def test_a_run_continues_a_sealed_sweep_to_the_results_of_one_that_was_not(
    whole: Store, store: Store, trials: list[TrialSpec], tmp_path: Path
) -> None:
    plain = Store.open(shutil.copytree(whole.root, tmp_path / "plain"))
    for one in (store, plain):
        statuses = run_here(one, submit(one, "tiny", trials, tiny_sweep().resources))
        assert [status.status for status in statuses] == [Status.DONE] * 3
    seal_finished(store)

    columns = ["stage_key", "epoch", "train_loss", "alphas", "test_top1_pct"]
    order = [("stage_key", "ascending"), ("epoch", "ascending")]
    rows = [one.read("epochs", columns=columns).sort_by(order) for one in (store, plain)]
    assert rows[0].equals(rows[1])
    assert len(store.manifest().packs) == 1


def test_failed_and_running_stages_stay_live(store: Store, trials: list[TrialSpec]) -> None:
    folder = store.stage_dir("search", key_of(trials[1], "search"))
    Attempt.take(folder).fail("exception", ValueError("no luck"))
    running = Attempt.take(folder)

    assert seal_finished(store) == 0

    assert sweep_status(store, trials)[1].status == Status.RUNNING
    running.release()


@pytest.mark.parametrize("table", ["epochs", "genotypes", "retrains", "attempts"])
@pytest.mark.parametrize("harm", ["damaged", "gone"])
def test_damage_to_a_pack_costs_only_the_stages_of_that_table(
    whole: Store, store: Store, trials: list[TrialSpec], table: str, harm: str
) -> None:
    (path,) = (store.root / SEALED / table).iterdir()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9])

    (fault,) = store_faults(store)
    assert fault.path == path
    repair(store, fault)

    assert not [found for found in store_faults(store) if found.path.suffix != ".parquet"]
    for other in set(TABLES) - {table}:
        keys = SCHEMA[other].key
        order = [(name, "ascending") for name in keys]
        assert store.read(other).sort_by(order).equals(whole.read(other).sort_by(order))
    done = [status.status == Status.DONE for status in sweep_status(store, trials)]
    assert done[0] == done[2] == (table == "attempts")
    for fault in list(store_faults(store)):  # Marks without rows, attempts without a row.
        repair(store, fault)
    run_here(store, submit(store, "tiny", [trials[0], trials[2]], tiny_sweep().resources))
    assert not list(store_faults(store))


@pytest.mark.parametrize("harm", ["damaged", "gone"])
@pytest.mark.parametrize("suffix", ["json", "copy"])
def test_a_manifest_is_restored_from_its_copy(store: Store, harm: str, suffix: str) -> None:
    (path,) = (store.root / SEALED).glob(f"MANIFEST-*.{suffix}")
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
        assert store.read("epochs").num_rows  # The other one is as good.
    else:
        path.write_bytes(content[:-9])

    for fault in list(store_faults(store)):
        assert fault.path == path
        repair(store, fault)

    assert path.read_bytes() == content
    assert not list(store_faults(store))


@pytest.mark.parametrize("harm", ["damaged", "gone"])
def test_a_lost_manifest_is_made_again_from_the_sealed_files(
    store: Store, trials: list[TrialSpec], harm: str
) -> None:
    before, stages = str(list(answers(store, trials))), store.manifest().stages
    for path in (store.root / SEALED).glob("MANIFEST-*"):
        path.unlink() if harm == "gone" else path.write_bytes(b"{}")
    assert exit_code("sweep", "status", "tiny", "--store", str(store.root)) == 2
    with pytest.raises(DamagedFile, match="store check --repair"):
        seal_finished(store)  # It would take the sealed files for garbage.

    assert exit_code("store", "check", "--repair", "--store", str(store.root)) == 0

    assert store.manifest().stages == stages
    assert str(list(answers(store, trials))) == before
    assert not list(store_faults(store))
    assert seal_finished(store) == 0


def test_a_run_seals_by_itself(
    whole: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(shutil.copytree(whole.root, tmp_path / "store"))
    monkeypatch.setattr(sealing_module, "MANY", 5)
    monkeypatch.setattr(sealing_module, "LOOK_S", 0.01)

    with sealing(store, pytest.fail):
        while not store.manifest().number:
            pass

    assert len(store.manifest().stages) == 5


def test_compact_says_what_it_did(
    whole: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(shutil.copytree(whole.root, tmp_path / "store"))

    assert exit_code("results", "compact", "--store", root) == 0

    assert capsys.readouterr().out == "Sealed 5 stages; 0 stages left.\n"
