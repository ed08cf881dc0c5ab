import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from stored_images import png, write_images
from tiny_sweeps import SETTINGS, key_of, tiny_trials

from fairdarts.config import Config, SampleConfig, SearchConfig
from fairdarts.errors import ConfigError, DataError
from orchestrate.errors import SweepError
from orchestrate.planning.identity import (
    ADDED_LATER,
    NOT_IN_KEY,
    SEMANTICS_VERSION,
    digest,
    stage_key,
)
from orchestrate.planning.plan import TrialSpec, given_trial, plan, search_only_trial, search_trial
from orchestrate.planning.settings import SECTIONS, Settings, resolve
from orchestrate.planning.sweep_file import RandomBaseline, parse_sweep

CHAIN = ("search", "derive", "retrain")


def trial_of(settings: Settings, method: str = "fairdarts") -> TrialSpec:
    return search_trial(method, resolve(method, [settings]), {})


def keys(settings: Settings, method: str = "fairdarts") -> dict[str, str]:
    return {stage.kind: stage.key for stage in trial_of(settings, method).stages}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [kind for kind in before if before[kind] != after[kind]]


NAMED = {"space": "s1_no_skip", "perturbation": "skip_noise", "stopping": "two_skips"}


def another_value(config: type[Config], name: str) -> Any:
    """A valid value of a setting that is not its default; None if there is none."""
    field = config.model_fields[name]
    if name in NAMED and str in (field.annotation, *get_args(field.annotation)):
        return NAMED[name]
    default = field.default
    if name.endswith("_column"):
        return "another"
    if name == "num_layers":  # of few depths
        return 15
    if isinstance(default, bool) or bool in get_args(field.annotation):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default * 1.1 or 0.5
    if default is None:
        return 16.0 if float in get_args(field.annotation) else 16
    return next((choice for choice in get_args(field.annotation) if choice != default), None)


def fields(section: str, *without: str) -> list[tuple[type[Config], str]]:
    config = {**SECTIONS, "random": SampleConfig}[section]
    return [
        (config, name)
        for name in config.model_fields
        if not {name, f"{section}.{name}"} & {*NOT_IN_KEY, *without}
        and another_value(config, name) is not None
    ]


def test_the_plan_has_every_combination_in_the_order_of_the_file() -> None:
    matrix = {"method": ["fairdarts", "darts"], "seed": [0, 1, 2]}
    trials = tiny_trials(matrix=matrix)
    assert [trial.label for trial in trials] == [
        "fairdarts seed=0",
        "fairdarts seed=1",
        "fairdarts seed=2",
        "darts seed=0",
        "darts seed=1",
        "darts seed=2",
    ]
    assert [trial.group_label for trial in trials] == ["fairdarts"] * 3 + ["darts"] * 3
    assert len({trial.trial_id for trial in trials}) == 6
    assert len({trial.group_id for trial in trials}) == 2


def test_each_stage_names_the_one_before_as_its_parent() -> None:
    searched, drawn = tiny_trials(random=[{"models": 1}])
    assert [stage.kind for stage in searched.stages] == ["search", "derive", "retrain"]
    assert [stage.kind for stage in drawn.stages] == ["sample", "retrain"]
    for trial in (searched, drawn):
        assert trial.stages[0].parent is None
        for parent, child in zip(trial.stages, trial.stages[1:], strict=False):
            assert child.parent == parent.key
        assert trial.trial_id == trial.stages[-1].key


def test_labels_show_axes_by_their_short_names_and_groups_leave_the_seeds_out() -> None:
    trials = tiny_trials(matrix={"search.zero_one_weight": [0.0, 10.0], "search.seed": [7]})
    assert [trial.label for trial in trials] == [
        "fairdarts zero_one_weight=0.0 seed=7",
        "fairdarts zero_one_weight=10.0 seed=7",
    ]
    assert [trial.group_label for trial in trials] == [
        "fairdarts zero_one_weight=0.0",
        "fairdarts zero_one_weight=10.0",
    ]


def test_a_recipe_of_another_length_is_in_the_trial() -> None:
    assert trial_of({"retrain.recipe": "cifar-1600"}).recipe == "cifar-1600"
    assert trial_of({"retrain.epochs": 8}).recipe == "cifar-600[epochs=8]"


def test_random_baselines_follow_the_axes_of_training_and_data_and_no_other() -> None:
    trials = tiny_trials(
        matrix={
            "method": ["fairdarts", "darts"],
            "seed": [0, 1],
            "retrain.epochs": [1, 2],
            "data.num_train": [20, 30],
        },
        random=[{"models": 3}, {"models": 1, "num_skips": 1, "min_multadds_m": 500.0}],
    )
    drawn = [trial for trial in trials if trial.method == "random"]
    assert len(trials) - len(drawn) == 2 * 2 * 2 * 2
    assert len(drawn) == 2 * 2 * (3 + 1)
    assert len({key_of(trial, "sample") for trial in drawn}) == 3 + 1
    assert {trial.group_label for trial in drawn} == {
        f"random ({bounds}) epochs={epochs} num_train={num_train}"
        for bounds in ("M=2", "M=1, MultAdds >= 500M")
        for epochs in (1, 2)
        for num_train in (20, 30)
    }


def test_the_models_of_a_random_group_are_retrained_with_seeds_of_their_own() -> None:
    drawn = tiny_trials(matrix={}, random=[{"models": 3}])
    seeds = [stage.config["retrain"]["seed"] for t in drawn if (stage := t.stage("retrain"))]
    assert seeds == [0, 1, 2]
    assert len({trial.group_id for trial in drawn}) == 1
    assert [trial.label for trial in drawn] == [f"random (M=2) index={index}" for index in range(3)]


def test_the_same_setting_in_two_sweeps_has_the_same_keys() -> None:
    one = tiny_trials(matrix={"method": ["fairdarts", "darts"], "seed": [0, 1]})
    other = tiny_trials("seed=1", matrix={"zero_one_weight": [5.0, 10.0]})
    shared = {trial.trial_id for trial in one} & {trial.trial_id for trial in other}
    assert shared == {one[1].trial_id} == {other[1].trial_id}
    assert one[1].group_id == other[1].group_id


def test_a_whole_number_for_a_real_setting_has_the_key_of_the_real_number() -> None:
    assert keys({"search.zero_one_weight": 5}) == keys({"search.zero_one_weight": 5.0})


def test_a_default_written_out_changes_no_key() -> None:
    assert keys({"search.epochs": 50, "retrain.recipe": "cifar-600"}) == keys({})


@pytest.mark.parametrize(
    ("config", "name"), [field for section in CHAIN for field in fields(section)]
)
def test_every_setting_changes_the_key_of_its_stage_and_of_those_after_it(
    tmp_path: Path, config: type[Config], name: str
) -> None:
    section = next(section for section in CHAIN if SECTIONS[section] is config)
    base: Settings = {}
    if config is SearchConfig and name in ("width", "num_layers"):
        base = {"search.space": "s2"}
    if name == "perturbation_strength":
        base = {"search.perturbation": "alpha_noise"}
    if name in ("color_jitter", "auto_augment"):
        write_images(tmp_path)
        base = {"data.source": f"parquet:{tmp_path}", "data.augmentation": "resized_crop"}
    after = keys(base | {f"{section}.{name}": another_value(config, name)})
    assert changed(keys(base), after) == list(CHAIN[CHAIN.index(section) :])


@pytest.mark.parametrize(("config", "name"), fields("data"))
def test_every_setting_of_the_data_changes_the_stages_that_see_it(
    tmp_path: Path, config: type[Config], name: str
) -> None:
    # A search never sees a test image.
    expected = ["retrain"] if name == "num_test" else list(CHAIN)
    write_images(tmp_path)  # Resized crops are of images from files.
    # The auxiliary head needs larger images.
    plain = {"retrain.auxiliary_weight": 0.0, "data.source": f"parquet:{tmp_path}"}
    if name == "damaged":
        plain["data.augmentation"] = "resized_crop"
    after = keys(plain | {f"data.{name}": another_value(config, name)})
    assert changed(keys(plain), after) == expected


@pytest.mark.parametrize(("config", "name"), fields("random", "index"))
def test_every_setting_of_a_random_baseline_changes_its_keys(
    config: type[Config], name: str
) -> None:
    (default,) = tiny_trials(matrix={}, random=[{"models": 1}])
    (other,) = tiny_trials(matrix={}, random=[{"models": 1, name: another_value(config, name)}])
    assert key_of(default, "sample") != key_of(other, "sample")
    assert key_of(default, "retrain") != key_of(other, "retrain")


def test_a_sweep_reaches_every_setting_of_a_random_baseline() -> None:
    given = RandomBaseline.model_fields.keys() - {"models"}
    choosable = {name for _, name in fields("random", "index")}
    assert given == choosable


def test_settings_outside_the_key_change_none() -> None:
    named = {"retrain.recipe": "cifar-1600", "retrain.epochs": 600}
    assert keys(named) == keys({})
    assert trial_of(named).recipe != trial_of({}).recipe


def test_a_setting_added_later_leaves_the_keys_of_results_before_it_as_they_were() -> None:
    for name, before in ADDED_LATER.items():
        section, _, field = name.partition(".")
        config = {**SECTIONS, "random": SampleConfig}[section]
        assert config.model_fields[field].default == before
        for stage in trial_of({}).stages:
            old = {
                s: {n: v for n, v in fields.items() if (s, n) != (section, field)}
                for s, fields in stage.config.items()
                if isinstance(fields, dict)
            }
            assert stage_key(stage.kind, stage.config | old, stage.parent) == stage.key


def test_a_graph_where_possible_has_the_key_of_results_without_one() -> None:
    assert SearchConfig().cuda_graph is None
    assert keys({}) == keys({"search.cuda_graph": False})
    assert keys({}) != keys({"search.cuda_graph": True})  # as such results were named before
    assert keys({}) == keys({"retrain.cuda_graph": True}) == keys({"retrain.cuda_graph": False})


def test_a_search_by_kernels_has_the_key_of_one_without_them() -> None:
    assert SearchConfig().kernels is None
    assert keys({}) == keys({"search.kernels": False}) == keys({"search.kernels": True})


def test_only_the_full_name_of_a_setting_takes_it_out_of_the_key() -> None:
    assert "data.source" in NOT_IN_KEY
    assert stage_key("search", {"data": {"source": "a"}}, None) == stage_key(
        "search", {"data": {}}, None
    )
    assert stage_key("search", {"search": {"source": "a"}}, None) != stage_key(
        "search", {"search": {}}, None
    )


def test_the_names_of_the_splits_change_no_key_of_the_same_images(tmp_path: Path) -> None:
    write_images(tmp_path)
    source = {"data.source": f"parquet:{tmp_path}", "retrain.auxiliary_weight": 0.0}
    named = {"data.train_split": "train", "data.test_split": "test"}
    assert keys(source | named) == keys(source)


def test_the_rule_of_darts_has_no_threshold_in_its_key() -> None:
    assert keys({"derive.op_threshold": 0.5}, "darts") == keys({}, "darts")


def test_the_kind_and_its_semantics_version_are_in_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stage_key("derive", {}, None) != stage_key("sample", {}, None)
    before = keys({})
    monkeypatch.setitem(SEMANTICS_VERSION, "derive", SEMANTICS_VERSION["derive"] + 1)
    assert changed(before, keys({})) == ["derive", "retrain"]


def test_keys_do_not_depend_on_the_order_of_settings() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})


def test_moving_the_images_keeps_every_key_and_changing_one_changes_them(tmp_path: Path) -> None:
    write_images(tmp_path / "here")
    before = keys({"data.source": f"parquet:{tmp_path / 'here'}"})
    (tmp_path / "here").rename(tmp_path / "there")
    there = {"data.source": f"parquet:{tmp_path / 'there'}"}
    assert keys(there) == before
    write_images(tmp_path / "there", [png(21), *(png(20 * index) for index in range(1, 12))])
    assert changed(before, keys(there)) == ["search", "derive", "retrain"]


def test_a_relative_folder_is_the_same_as_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    relative = trial_of({"data.source": "parquet:images"})
    assert relative == trial_of({"data.source": f"parquet:{tmp_path / 'images'}"})


def test_missing_images_are_found_missing_when_planning(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none"):
        trial_of({"data.source": f"parquet:{tmp_path / 'none'}"})


def test_an_axis_that_changes_nothing_is_refused_with_both_trials() -> None:
    with pytest.raises(SweepError) as error:
        tiny_trials(matrix={"method": ["darts"], "derive.op_threshold": [0.8, 0.9]})
    assert "'darts op_threshold=0.8' and 'darts op_threshold=0.9'" in str(error.value)


def test_two_random_groups_of_the_same_models_are_refused() -> None:
    with pytest.raises(SweepError, match="are the same computation"):
        tiny_trials(random=[{"models": 1}, {"models": 2}])


def test_a_bad_value_of_an_axis_is_found_when_planning() -> None:
    with pytest.raises(ConfigError, match=r"search\.batch_size \(=1\)"):
        tiny_trials(matrix={"search.batch_size": [16, 1]})


def test_searching_alone_shares_its_stages_with_the_whole_pipeline() -> None:
    sections = resolve("fairdarts", [])
    alone, whole = (build("fairdarts", sections, {}) for build in (search_only_trial, search_trial))
    assert alone.stages == whole.stages[:2]


def test_a_given_genotype_is_part_of_the_key_and_its_seeds_of_one_group() -> None:
    edges = {"normal": [], "reduce": []}
    one, again = (
        given_trial("mine", edges, resolve("fairdarts", [{"seed": seed}])) for seed in (0, 1)
    )
    other = given_trial("mine", edges | {"normal": [["skip_connect", 0, 2]]}, resolve("darts", []))
    assert [stage.kind for stage in one.stages] == ["given", "retrain"]
    assert key_of(one, "given") == key_of(again, "given") != key_of(other, "given")
    assert one.trial_id != again.trial_id
    assert one.group_id == again.group_id != other.group_id


def test_planning_imports_nothing_heavy(tmp_path: Path) -> None:
    write_images(tmp_path)
    program = (
        "import sys\n"
        "from orchestrate.planning.plan import plan\n"
        "from orchestrate.planning.sweep_file import load_sweep\n"
        "trials = plan(load_sweep('quickstart'))\n"
        f"trials += plan(load_sweep('quickstart', ['data=parquet:{tmp_path}']))\n"
        "import cli.live, orchestrate.running.status, orchestrate.planning.submission\n"
        "import orchestrate.running.stopping\n"  # All that a run needs if nothing is to be done.
        "heavy = {'torch', 'ray', 'pandas', 'sklearn', 'timm', 'torchvision'}\n"
        "print(len(trials), sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.split(maxsplit=1)[1].strip() == "[]"


def test_a_plan_is_the_same_every_time() -> None:
    table = {"settings": SETTINGS, "matrix": {"seed": [0, 1]}, "random": [{"models": 2}]}
    assert plan(parse_sweep(table, "a", [])) == plan(parse_sweep(table, "b", []))
