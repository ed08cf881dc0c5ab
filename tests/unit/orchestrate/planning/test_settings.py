import pytest

from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.errors import ConfigError
from fairdarts.presets import METHODS, RECIPES
from orchestrate.errors import SweepError
from orchestrate.planning.settings import (
    SECTIONS,
    Settings,
    flatten,
    full_name,
    parse_assignment,
    recipe_label,
    resolve,
)


def test_a_short_name_that_one_section_owns_is_that_sections() -> None:
    assert full_name("zero_one_weight") == "search.zero_one_weight"
    assert full_name("op_threshold") == "derive.op_threshold"
    assert full_name("num_train") == "data.num_train"
    assert full_name("data") == "data.source"


@pytest.mark.parametrize("name", ["method", "seed"])
def test_method_and_seed_are_names_of_their_own(name: str) -> None:
    assert full_name(name) == name


@pytest.mark.parametrize("section", SECTIONS)
def test_every_dotted_name_of_a_field_is_its_full_name(section: str) -> None:
    for field in SECTIONS[section].model_fields:
        assert full_name(f"{section}.{field}") == f"{section}.{field}"


def test_a_short_name_of_two_sections_is_refused_and_both_are_named() -> None:
    with pytest.raises(SweepError, match=r"^epochs could be search\.epochs or retrain\.epochs: w"):
        full_name("epochs")


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("search.epoch", ["search.epoch is not a setting", "batch_size", "zero_one_weight"]),
        ("data.sourc", ["data.sourc is not a setting", "num_train"]),
        ("alpha", ["alpha is not a setting", "method, seed", "search, derive, retrain"]),
        ("train.epochs", ["train.epochs is not a setting"]),
        ("search.", ["search. is not a setting"]),
        ("search.epochs.x", ["search.epochs.x is not a setting"]),
        ("", ["is not a setting"]),
    ],
)
def test_an_unknown_name_is_refused_with_what_there_is(name: str, fragments: list[str]) -> None:
    with pytest.raises(SweepError) as error:
        full_name(name)
    for fragment in fragments:
        assert fragment in str(error.value)


@pytest.mark.parametrize(
    "table",
    [
        {"search": {"zero_one_weight": 5.0}, "data": {"source": "digits"}},
        {"zero_one_weight": 5.0, "data": "digits"},
        {"search.zero_one_weight": 5.0, "data.source": "digits"},
    ],
)
def test_nested_dotted_and_short_names_mean_the_same(table: Settings) -> None:
    assert flatten(table) == {"search.zero_one_weight": 5.0, "data.source": "digits"}


def test_a_setting_given_under_two_names_is_refused() -> None:
    with pytest.raises(SweepError, match=r"search\.zero_one_weight is given twice"):
        flatten({"zero_one_weight": 5.0, "search": {"zero_one_weight": 6.0}})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("search.epochs=5", 5),
        ("search.epochs = 5 ", 5),
        ("search.weight_lr=1e-3", 1e-3),
        ("search.channels_last=false", False),
        ("seed=[0, 1]", [0, 1]),
        ("data=digits", "digits"),
        ('data="digits"', "digits"),
        ("data=folder:/a=b", "folder:/a=b"),
    ],
)
def test_an_assignment_is_read_as_toml_or_else_as_text(text: str, value: object) -> None:
    name, parsed = parse_assignment(text)
    assert name == text.partition("=")[0].strip()
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize("text", ["search.epochs", "", "=5", " =5"])
def test_an_assignment_without_key_or_equals_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SweepError, match=r"key=value, for example --set search.epochs=5"):
        parse_assignment(text)


def test_without_layers_every_method_has_the_defaults_and_its_preset() -> None:
    for method, preset in METHODS.items():
        sections = resolve(method, [])
        for section, config in SECTIONS.items():
            expected = config.build(
                (RECIPES["cifar-600"] if section == "retrain" else {}) | preset.get(section, {})
            )
            assert getattr(sections, section) == expected


@pytest.mark.parametrize("method", ["fairdarts", "darts"])
def test_a_space_has_presets_of_its_own_and_settings_go_over_them(method: str) -> None:
    sections = resolve(method, [{"search.space": "s2", "search.epochs": 3}])
    search, derive = sections.search, sections.derive
    assert (search.epochs, search.batch_size, search.alpha_lr) == (3, 1024, 5e-4)
    assert (search.weight_lr, search.weight_lr_min) == (0.02, 0.0)
    is_fair = method == "fairdarts"
    assert search.relaxation == ("sigmoid" if is_fair else "softmax")
    assert (search.zero_one_weight, search.alpha_weight_decay) == (10.0 if is_fair else 0.0, 1e-3)
    assert derive.rule == ("threshold_edge" if is_fair else "darts")
    assert derive.op_threshold == 0.75


def test_a_later_space_decides_and_other_spaces_have_no_presets() -> None:
    layers: list[Settings] = [{"search.space": "s2"}, {"search.space": "s1_no_skip"}]
    assert resolve("fairdarts", layers).search == SearchConfig(space="s1_no_skip")


def test_a_recipe_is_over_the_defaults_and_a_setting_over_the_recipe() -> None:
    by_recipe = resolve("fairdarts", [{"retrain.recipe": "cifar-1600"}]).retrain
    assert isinstance(by_recipe, RetrainConfig) and by_recipe.epochs == 1600
    layers = [{"retrain.recipe": "cifar-1600", "retrain.epochs": 7}]
    by_setting = resolve("fairdarts", layers).retrain
    assert isinstance(by_setting, RetrainConfig) and by_setting.epochs == 7


def test_a_recipe_of_a_later_layer_does_not_undo_a_setting_of_an_earlier_one() -> None:
    layers: list[Settings] = [{"retrain.epochs": 7}, {"retrain.recipe": "cifar-1600"}]
    retrain = resolve("fairdarts", layers).retrain
    assert isinstance(retrain, RetrainConfig)
    assert (retrain.recipe, retrain.epochs) == ("cifar-1600", 7)


def test_later_layers_win() -> None:
    layers: list[Settings] = [{"search.epochs": 1}, {"search.epochs": 2}]
    search = resolve("darts", layers).search
    assert isinstance(search, SearchConfig) and search.epochs == 2


def test_seed_seeds_search_and_retraining_unless_one_is_given_its_own() -> None:
    both = resolve("fairdarts", [{"seed": 3}])
    assert (both.search.seed, both.retrain.seed) == (3, 3)
    own = resolve("fairdarts", [{"retrain.seed": 9}, {"seed": 3}])
    assert (own.search.seed, own.retrain.seed) == (3, 9)


def test_an_unknown_method_is_refused_with_those_there_are() -> None:
    with pytest.raises(SweepError, match=r"method \(='pcdarts'\) is not known; allowed: fairdarts"):
        resolve("pcdarts", [])


@pytest.mark.parametrize(
    ("name", "value", "fragments"),
    [
        ("search.epochs", 0, ["search.epochs (=0)", "greater than or equal to 1"]),
        ("search.epochs", 2.5, ["search.epochs (=2.5)", "integer"]),
        ("search.epochs", "many", ["search.epochs (='many')", "integer"]),
        ("search.epochs", True, ["search.epochs (=True)", "integer"]),
        ("search.weight_lr", float("nan"), ["search.weight_lr (=nan)", "finite"]),
        ("search.space", "s3", ["search.space (='s3')", "s1, s1_no_skip"]),
        ("search.channels_last", 1, ["search.channels_last (=1)", "boolean"]),
        ("search.seed", -1, ["search.seed (=-1)", "0"]),
        ("derive.op_threshold", 1.0, ["derive.op_threshold (=1.0)", "less than 1"]),
        ("retrain.recipe", "short", ["recipe (='short')", "cifar-600"]),
        ("retrain.recipe", 3, ["retrain.recipe (=3)", "string"]),
        ("data.source", "mnist", ["source (='mnist')", "digits, cifar10"]),
        ("data.source", "parquet:", ["source (='parquet:')", "parquet:DIR"]),
        ("data.num_train", 1, ["data.num_train (=1)", "4"]),
        ("search.weight_lr_min", 1.0, ["weight_lr_min (=1.0)", "weight_lr"]),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_sentence(
    name: str, value: object, fragments: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        resolve("fairdarts", [{name: value}])
    for fragment in fragments:
        assert fragment in str(error.value)
    assert "\n" not in str(error.value)


def test_a_recipe_label_shows_what_differs_from_the_recipe() -> None:
    assert recipe_label(RetrainConfig()) == "cifar-600"
    assert recipe_label(RetrainConfig(seed=5, drop_path_mode="edge")) == "cifar-600"
    assert recipe_label(RetrainConfig(epochs=8, lr=0.1)) == "cifar-600[epochs=8,lr=0.1]"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("data=parquet:/a, b=c", "parquet:/a, b=c"),  # `b` is not a setting: part of a path
        ("data='folder:/x seed=1'", "folder:/x seed=1"),
        ("seed=[0, 1]", [0, 1]),
    ],
)
def test_signs_in_a_value_are_part_of_it(text: str, value: object) -> None:
    assert parse_assignment(text)[1] == value


@pytest.mark.parametrize(
    "text", ["seed=1 search.epochs=2", "seed=1, num_train=9", "seed=1;resources.max_attempts=2"]
)
def test_two_assignments_in_one_are_refused(text: str) -> None:
    with pytest.raises(SweepError, match="one assignment for each --set"):
        parse_assignment(text)
