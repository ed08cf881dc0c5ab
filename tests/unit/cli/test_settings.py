"""`fairdarts sweep settings` shows each setting: default, meaning, what is allowed."""

import json

import pytest

from cli.formats import Format
from cli.settings import settings
from fairdarts.presets import METHODS
from orchestrate.errors import SweepError
from orchestrate.planning.setting_list import GROUPS, all_settings, find_settings


def names(word: str) -> list[str]:
    return [setting.name for setting in find_settings(word)]


def test_every_setting_has_a_sentence() -> None:
    listed = {setting.name for setting in all_settings()}
    fields = {f"{group}.{field}" for group in GROUPS for field in GROUPS[group].model_fields}
    assert listed == fields - set(GROUPS) | {"method", "seed"}
    for setting in all_settings():
        assert len(setting.description.split()) > 2, setting.name
        assert setting.description.endswith("."), setting.name


def test_a_word_finds_names_a_section_and_texts() -> None:
    assert "retrain.lr" in names("lr")
    assert names("search.lr") == ["search.weight_lr", "search.weight_lr_min", "search.alpha_lr"]
    assert names("SEARCH.lr") == names("search.lr")
    assert names("derive") == ["derive.rule", "derive.op_threshold"]
    assert "search.perturbation" in names("skip")
    assert "search.epochs" not in names("lr")
    with pytest.raises(SweepError, match="'nosuch' in its name"):
        find_settings("nosuch")


def test_names_of_registries_ranges_and_presets_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    settings()
    lines = capsys.readouterr().out.splitlines()

    assert max(map(len, lines)) <= 80
    out = " ".join(" ".join(lines).split())
    assert all(method in out for method in METHODS)
    assert "Allowed: s1, s1_no_skip, s2 or s2_identity_skip." in out
    assert "data.image_size = (left out)" in lines
    assert "Allowed: whole number, 8 or more, 512 or less." in out
    assert "Elsewhere: 30 for space s2, s2_identity_skip." in out
    assert 'retrain.stem = "cifar"' in lines
    assert "random.models = (must be given)" in lines


def test_json_has_the_words_of_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    settings("derive", Format.JSON)
    rule, threshold = json.loads(capsys.readouterr().out)

    assert rule["enum"] == ["threshold", "threshold_edge", "darts"]
    assert rule["presets"]["method"]["darts"] == "darts"
    assert threshold["name"] == "derive.op_threshold"
    assert threshold["default"] == 0.85
    assert (threshold["exclusiveMinimum"], threshold["exclusiveMaximum"]) == (0, 1)
    assert threshold["presets"]["space"]["s2"] == 0.75


def test_a_setting_that_takes_a_number_or_a_word_has_both(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings("resources.stall", Format.JSON)
    (stall_after,) = json.loads(capsys.readouterr().out)

    assert [kind["type"] for kind in stall_after["oneOf"]] == ["number", "string"]
