"""What a stage would refuse is refused when it is planned."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stored_images import png, write_images
from tiny_sweeps import tiny_trials

from fairdarts.errors import FairDartsError
from fairdarts.genotype.published import published
from orchestrate.errors import SweepError
from orchestrate.planning.checks import check_trials
from orchestrate.planning.plan import given_trial
from orchestrate.planning.settings import resolve

RANDOM = {"matrix": {}, "random": [{"models": 3, "num_skips": 8}]}


def test_tiny_trials_of_every_kind_pass_in_silence() -> None:
    assert check_trials(tiny_trials(random=[{"models": 2}])) == []


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("retrain.cutout=8", "retrain.cutout (=8)"),
        ("retrain.auxiliary_weight=0.4", "auxiliary head"),
        ("data.num_train=8", "8 training images"),
        ("data.num_train=2000", "2000 images are asked for"),
        ("data.num_classes=11", "num_classes (=11)"),
        ("retrain.num_validation=39", "retrain.num_validation (=39)"),
        ("retrain.color_jitter=true", "retrain.color_jitter"),
        ("retrain.stem=imagenet", "divisible by 32"),
    ],
)
def test_settings_that_a_stage_would_refuse_are_refused(assignment: str, words: str) -> None:
    with pytest.raises(FairDartsError) as error:
        check_trials(tiny_trials(assignment))
    assert words in str(error.value)


def test_the_fault_of_one_trial_among_several_names_it() -> None:
    trials = tiny_trials(matrix={"retrain.cutout": [2, 8], "seed": [0, 1]})
    with pytest.raises(SweepError, match="trial 'fairdarts cutout=8 seed=1'"):
        check_trials(trials)


@pytest.mark.parametrize(
    "window",
    [
        {"min_multadds_m": 900.0},
        {"max_multadds_m": 1.0},
        {"min_multadds_m": 250.0, "max_multadds_m": 250.00001},
        {"models": 40_000, "min_multadds_m": 280.7},
    ],
    ids=str,
)
def test_a_window_without_enough_random_genotypes_is_refused(window: dict[str, Any]) -> None:
    group = RANDOM["random"][0] | window
    trials = tiny_trials(matrix={}, random=[group | {"models": 1}])
    # Planning 40,000 trials would take longer than a test may.
    trials[0].stages[0].config["index"] = group["models"] - 1
    with pytest.raises(FairDartsError, match="random genotypes with num_skips = 8"):
        check_trials(trials)


def test_a_given_genotype_must_build_a_network() -> None:
    nothing = given_trial("mine", {"normal": [], "reduce": []}, resolve("fairdarts", []))
    with pytest.raises(SweepError, match="mine builds no network: the normal cell"):
        check_trials([nothing])


def test_a_genotype_of_s2_takes_sizes_that_one_of_s1_does_not() -> None:
    layers = [{"data.image_size": 12, "search.space": "s2", "retrain.cutout": 0}]
    s2_trial = given_trial("mine", {"layers": ["E3K3"] * 19}, resolve("fairdarts", layers))
    assert check_trials([s2_trial]) == []
    genotype = published("FairDARTS_a").genotype.to_dict()
    s1_layers = [{"data.image_size": 12, "retrain.cutout": 0}]
    s1_trial = given_trial("mine", genotype, resolve("fairdarts", s1_layers))
    with pytest.raises(FairDartsError, match="auxiliary head"):
        check_trials([s1_trial])


def one_class(folder: Path) -> None:
    cells = pa.array(
        [{"bytes": png(9 * i)} for i in range(12)], pa.struct([("bytes", pa.binary())])
    )
    for split in ("train", "test"):
        table = pa.table({"img": cells, "label": pa.array([0] * 12, pa.int64())})
        pq.write_table(table, folder / f"{split}.parquet")


def no_rows(folder: Path) -> None:
    for split in ("train", "test"):
        path = folder / f"{split}.parquet"
        pq.write_table(pq.read_table(path).slice(0, 0), path)


def no_labels(folder: Path) -> None:
    path = folder / "train.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["label"]), path)


def tiny_images(folder: Path) -> None:
    write_images(folder, [png(20 * index, size=4) for index in range(12)])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (one_class, "has 1 class"),
        (no_rows, "no rows"),
        (no_labels, "label"),
        (tiny_images, "4 x 4 pixels"),
    ],
)
def test_images_that_a_stage_would_refuse_are_refused(
    spoil: Any, words: str, tmp_path: Path
) -> None:
    write_images(tmp_path)
    spoil(tmp_path)
    source = f"parquet:{tmp_path}"
    trials = tiny_trials(
        settings={"data.source": source, "retrain": {"auxiliary_weight": 0.0, "cutout": 2}}
    )
    with pytest.raises(FairDartsError) as error:
        check_trials(trials)
    assert words in str(error.value)
