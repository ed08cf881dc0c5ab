from pathlib import Path
from typing import Any

import pytest

from fairdarts.errors import ConfigError
from orchestrate.errors import SweepError
from orchestrate.planning.plan import plan
from orchestrate.planning.sweep_file import Sweep, load_sweep, packaged_sweeps, parse_sweep

ONE: dict[str, Any] = {"matrix": {"seed": [0]}}


def parse(*assignments: str, **table: Any) -> Sweep:
    return parse_sweep(ONE | table, "some", list(assignments))


@pytest.mark.parametrize(
    ("table", "fragments"),
    [
        ({"setting": {}}, ["setting is not a section", "settings, methods, matrix, random"]),
        ({"settings": {"lr_rate": 1}}, ["lr_rate is not a setting"]),
        ({"settings": {"search": {"lr": 1}}}, ["search.lr is not a setting", "weight_lr"]),
        ({"settings": {"epochs": 3}}, ["epochs could be search.epochs or retrain.epochs"]),
        ({"settings": 3}, ["settings (=3)", "[settings]"]),
        ({"matrix": {"epochs": [3]}}, ["epochs could be search.epochs or retrain.epochs"]),
        ({"matrix": {"seed": []}}, ["matrix.seed is empty", "at least one value"]),
        ({"matrix": {"seed": [0, 1, 0]}}, ["matrix.seed has 0 twice"]),
        ({"matrix": {"seed": 3}}, ["matrix.seed (=3)", "must be a list", "[settings]"]),
        ({"matrix": {"method": "darts"}}, ["matrix.method (='darts')", "must be a list"]),
        ({"matrix": [1]}, ["matrix (=[1])", "[matrix]"]),
        ({"matrix": {}}, ["neither [matrix] nor [[random]]"]),
        ({"methods": {"enas": {}}}, ["methods.enas is not a known method", "fairdarts, darts"]),
        ({"methods": {"darts": {"search": {"lr": 1}}}}, ["search.lr is not a setting"]),
        ({"methods": {"darts": 3}}, ["methods.darts (=3)", "[methods.darts]"]),
        ({"random": 3}, ["random (=3)", "[[random]]"]),
        ({"random": [3]}, ["random (=[3])", "[[random]]"]),
        ({"name": "My Sweep"}, ["name (='My Sweep')", "a-z, 0-9"]),
        ({"name": "../up"}, ["name (='../up')"]),
        ({"name": ""}, ["name (='')"]),
        ({"name": "a" * 64}, ["1 to 63"]),
        ({"name": 7}, ["name (=7)"]),
    ],
)
def test_a_sweep_that_cannot_be_used_is_refused_in_one_sentence(
    table: dict[str, Any], fragments: list[str]
) -> None:
    with pytest.raises(SweepError) as error:
        parse(**table)
    for fragment in fragments:
        assert fragment in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "fragments"),
    [
        ({"random": [{}]}, ["random.models", "required"]),
        ({"random": [{"models": 0}]}, ["random.models (=0)", "1"]),
        ({"random": [{"models": 1, "skips": 2}]}, ["random.skips is not a setting", "num_skips"]),
        ({"resources": {"cpus": 2}}, ["resources.cpus is not a setting", "cpus_per_trial"]),
        ({"resources": {"cpus_per_trial": 0}}, ["resources.cpus_per_trial (=0)"]),
        ({"resources": {"gpus_per_trial": "all"}}, ["resources.gpus_per_trial (='all')"]),
        ({"resources": {"max_attempts": 0}}, ["resources.max_attempts (=0)"]),
    ],
)
def test_a_group_with_a_bad_value_is_refused_in_one_sentence(
    table: dict[str, Any], fragments: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        parse(**table)
    for fragment in fragments:
        assert fragment in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("assignment", "fragment"),
    [
        ("search.epochs", "key=value"),
        ("epochs=3", "epochs could be search.epochs or retrain.epochs"),
        ("search.epoch=3", "search.epoch is not a setting"),
        ("seed=[]", "matrix.seed is empty"),
        ("seed=[1,1]", "matrix.seed has 1 twice"),
        ("random.models=3", "random.models"),
    ],
)
def test_an_override_that_cannot_be_used_is_refused(assignment: str, fragment: str) -> None:
    with pytest.raises(SweepError) as error:
        parse(assignment)
    assert fragment in str(error.value)


def test_a_file_is_named_in_the_error_about_its_content(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[matrix]\nepochs = [1]\n")
    with pytest.raises(SweepError, match=rf"^{path}: epochs could be"):
        load_sweep(str(path))


@pytest.mark.parametrize("content", ["seed = [0", "[matrix]\n[matrix]", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_refused_with_the_place(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(SweepError, match=rf"^{path} is not TOML: .*\(at "):
        load_sweep(str(path))


def test_a_missing_file_a_folder_and_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"there is no file .*none\.toml"):
        load_sweep(str(tmp_path / "none.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SweepError, match=r"folder\.toml cannot be read"):
        load_sweep(str(tmp_path / "folder.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SweepError, match=r"bytes\.toml cannot be read"):
        load_sweep(str(tmp_path / "bytes.toml"))


@pytest.mark.parametrize("name", ["exp99", "", "../quickstart", "quickstart.tom"])
def test_an_unknown_packaged_sweep_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(SweepError, match=r"there is no packaged sweep .*quickstart"):
        load_sweep(name)


@pytest.mark.parametrize("name", packaged_sweeps())
def test_every_packaged_sweep_is_valid_and_states_what_it_is_and_costs(name: str) -> None:
    sweep = load_sweep(name)
    assert sweep.name == name
    assert sweep.description and sweep.cost
    uses_digits = sweep.settings.get("data.source", "digits") == "digits"
    assert not uses_digits or plan(sweep)


def test_a_sweep_is_named_by_its_file_unless_it_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "Mine.toml"
    path.write_text("[matrix]\nseed = [0]\n")
    assert load_sweep(str(path)).name == "mine"
    path.write_text('name = "other"\n[matrix]\nseed = [0]\n')
    assert load_sweep(str(path)).name == "other"


def test_set_replaces_an_axis_with_a_list_or_one_value() -> None:
    assert parse("seed=[4, 5]").matrix == {"seed": [4, 5]}
    assert parse("seed=4").matrix == {"seed": [4]}


def test_set_with_a_list_adds_an_axis() -> None:
    assert parse("zero_one_weight=[0, 10]").matrix["search.zero_one_weight"] == [0, 10]


def test_set_reaches_resources_and_every_random_group() -> None:
    sweep = parse(
        "resources.cpus_per_trial=2",
        "random.models=5",
        random=[{"models": 1, "num_skips": 1}, {"models": 2}],
    )
    assert sweep.resources.cpus_per_trial == 2
    assert [(group.models, group.num_skips) for group in sweep.random] == [(5, 1), (5, 2)]


def test_set_with_one_value_is_an_override() -> None:
    assert parse("search.epochs=3").overrides == {"search.epochs": 3}


def test_a_random_group_alone_is_a_sweep_and_needs_no_double_brackets() -> None:
    sweep = parse_sweep({"random": {"models": 2}}, "some", [])
    assert [group.models for group in sweep.random] == [2]


def resolved(*assignments: str, **table: Any) -> dict[str, Any]:
    """Search settings of the first trial."""
    search = plan(parse(*assignments, **table))[0].stage("search")
    assert search is not None
    values: dict[str, Any] = search.config["search"]
    return values


def test_each_layer_of_settings_is_over_the_one_before() -> None:
    table: dict[str, Any] = {"matrix": {"method": ["darts"]}}
    assert resolved(**table)["alpha_lr"] == 3e-4  # The method's preset, over the default of 3e-3.
    table["settings"] = {"alpha_lr": 0.1}
    assert resolved(**table)["alpha_lr"] == 0.1
    table["methods"] = {"darts": {"alpha_lr": 0.2}, "fairdarts": {"alpha_lr": 0.9}}
    assert resolved(**table)["alpha_lr"] == 0.2
    table["matrix"] = {"method": ["darts"], "alpha_lr": [0.3]}
    assert resolved(**table)["alpha_lr"] == 0.3
    assert resolved("alpha_lr=0.4", **table)["alpha_lr"] == 0.4


def test_set_is_over_settings_and_methods() -> None:
    table: dict[str, Any] = {
        "settings": {"search": {"epochs": 1}},
        "methods": {"fairdarts": {"search": {"epochs": 2}}},
    }
    assert resolved("search.epochs=3", **table)["epochs"] == 3


def test_the_method_may_come_from_settings_or_set() -> None:
    assert resolved(settings={"method": "darts"})["relaxation"] == "softmax"
    assert resolved("method=darts")["relaxation"] == "softmax"
    assert resolved()["relaxation"] == "sigmoid"
