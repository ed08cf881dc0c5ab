"""Every packaged sweep can be planned at every scale, and says what the paper's table says."""

import pytest

from orchestrate.errors import SweepError
from orchestrate.planning.plan import TrialSpec, plan
from orchestrate.planning.scale import scales
from orchestrate.planning.sweep_file import load_sweep, packaged_sweeps, parse_sweep

ON_DIGITS = ["data=digits", "data.augmentation=crop"]


def trials(name: str, scale: str = "paper") -> list[TrialSpec]:
    return plan(load_sweep(name, ON_DIGITS, scale))


@pytest.mark.parametrize("scale", scales())
@pytest.mark.parametrize("name", packaged_sweeps())
def test_a_packaged_sweep_can_be_planned(name: str, scale: str) -> None:
    sweep = load_sweep(name, ON_DIGITS, scale)
    assert sweep.description
    assert sweep.cost
    assert sweep.name == (name if scale == "paper" else f"{name}-{scale}")
    assert plan(sweep)


@pytest.mark.parametrize(
    ("name", "method", "count", "settings"),
    [
        ("exp01", "darts", 4, {"relaxation": "softmax", "zero_one_weight": 0.0}),
        ("exp02", "darts", 1, {"space": "s2", "relaxation": "softmax", "zero_one_weight": 0.0}),
        ("exp03", "fairdarts", 1, {"relaxation": "sigmoid", "zero_one_weight": 0.0}),
        ("exp04", "fairdarts", 17, {"zero_one_form": "l2"}),
        ("exp05", "fairdarts", 4, {"zero_one_weight": 10.0, "zero_one_form": "l2"}),
        ("exp06", "fairdarts", 1, {"zero_one_weight": 10.0, "zero_one_form": "l1"}),
        ("exp07", "fairdarts", 1, {"optimization": "single_level", "zero_one_weight": 10.0}),
        ("exp08", "fairdarts", 1, {"space": "s2", "relaxation": "sigmoid", "epochs": 30}),
        ("exp09", "darts", 1, {"space": "s1_no_skip", "zero_one_weight": 0.0}),
        ("exp12", "darts-skip-noise", 4, {"perturbation": "skip_noise", "zero_one_weight": 0.0}),
        ("exp13", "darts", 1, {"relaxation": "softmax", "zero_one_weight": 10.0}),
    ],
)
def test_an_experiment_is_that_of_supplementary_table_1(
    name: str, method: str, count: int, settings: dict[str, object]
) -> None:
    planned = trials(name)
    assert len(planned) == count
    for trial in planned:
        assert trial.method == method
        search = trial.stages[0].config["search"]
        assert settings.items() <= search.items()
        # All but the settings in question are those of the published searches.
        epochs = 30 if search["space"] == "s2" else 50
        assert (search["epochs"], search["init_channels"], search["num_cells"]) == (epochs, 16, 8)
        assert search["optimization"] == settings.get("optimization", "bilevel")


@pytest.mark.parametrize(("name", "lowest"), [("exp10", None), ("exp11", 500.0)])
def test_random_baselines_have_two_skips(name: str, lowest: float | None) -> None:
    planned = trials(name)
    assert len(planned) == 7
    for trial in planned:
        assert trial.stages[0].config["num_skips"] == 2
        assert trial.stages[0].config["min_multadds_m"] == lowest


def test_a_scale_is_beneath_what_the_file_sets() -> None:
    (paper,), (small,) = trials("exp03"), trials("exp03", "small")
    assert small.stages[0].config["search"]["zero_one_weight"] == 0.0
    assert small.stages[0].config["search"]["init_channels"] == 8
    assert small.stages[-1].config["retrain"]["epochs"] == 10
    assert paper.trial_id != small.trial_id


def test_settings_of_the_file_win_over_those_of_a_scale_for_a_method() -> None:
    table = {"settings": {"search.alpha_lr": 0.5}, "matrix": {"method": ["darts"]}}
    (trial,) = plan(parse_sweep(table, "mine", ON_DIGITS, "small"))
    assert trial.stages[0].config["search"]["alpha_lr"] == 0.5


def test_a_scale_can_set_more_for_one_kind_of_space() -> None:
    (trial,) = trials("exp08", "small")
    search, retrain = trial.stages[0].config["search"], trial.stages[-1].config["retrain"]
    assert (search["width"], search["num_layers"], search["alpha_lr"]) == (0.5, 11, 0.02)
    assert (retrain["recipe"], retrain["width"], retrain["lr"]) == ("imagenet-s2", 0.5, 0.004)


def test_a_scale_can_set_more_for_one_recipe_which_the_file_overrides() -> None:
    plain = [*ON_DIGITS, "retrain.color_jitter=false"]
    table = {"matrix": {"retrain.recipe": ["cifar-600", "imagenet-transfer"]}}
    cifar, imagenet = plan(parse_sweep(table, "mine", plain, "small"))
    assert cifar.stages[-1].config["retrain"]["cutout"] == 8
    assert imagenet.stages[-1].config["retrain"]["cutout"] == 0
    assert imagenet.stages[-1].config["data"]["image_size"] == 64
    table["settings"] = {"retrain.cutout": 4}
    for trial in plan(parse_sweep(table, "mine", plain, "small")):
        assert trial.stages[-1].config["retrain"]["cutout"] == 4


def test_an_unknown_scale_is_refused_by_name() -> None:
    with pytest.raises(SweepError, match=r"scale \(='tiny'\) is not known; allowed: paper, small"):
        load_sweep("exp05", ON_DIGITS, "tiny")
