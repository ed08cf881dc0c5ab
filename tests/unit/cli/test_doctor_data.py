from pathlib import Path

import pytest
from jpeg_files import jpeg, write_folder
from PIL import ExifTags, Image

from cli.doctor_data import Finding, check_contact_sheet, data_findings
from fairdarts.config import DataConfig
from fairdarts.errors import ConfigError


def findings(top: Path, sheet: Path | None = None, **settings: object) -> list[Finding]:
    config = DataConfig.build({"source": f"folder:{top}"} | settings, "data")
    return list(data_findings(config, "folder:mine", sheet))


def values(found: list[Finding]) -> dict[str, str]:
    return {one.what.strip(): one.value for one in found}


def test_a_sound_data_set_has_no_faults(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 2, "bee": 3})
    (tmp_path / "train" / "bee" / "Thumbs.db").touch()
    sheet = tmp_path / "sheet.png"
    found = findings(tmp_path, sheet, image_size=32)
    assert [one.remedy for one in found if one.remedy and one.is_fault] == []
    shown = values(found)
    assert shown["folder:mine"] == "2 classes: ant, bee"
    assert shown["train"] == "5 images; ant 2, bee 3"
    assert shown["train images"].endswith("pixels; 5 RGB (all decoded)")
    assert shown["skipped"] == "1 not named as an image (Thumbs.db)"
    assert Image.open(sheet).format == "PNG"
    figures = {one.what.strip(): one.figures for one in found}
    assert {one["data"] for one in figures.values()} == {"folder:mine"}
    assert (figures["train"]["num_images"], figures["folder:mine"]["num_classes"]) == (5, 2)
    assert figures["train"]["images_per_class"] == {"ant": 2, "bee": 3}


def test_faults_come_with_a_remedy(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 2, "bee": 2})
    (tmp_path / "train" / "ant" / "cut.jpg").write_bytes(jpeg(0)[:200])
    remedies = [one.remedy for one in findings(tmp_path) if one.remedy and one.is_fault]
    assert remedies[0] == "repair or remove them"
    assert "set data.image_size" in remedies[-1]
    streamed = findings(tmp_path, augmentation="resized_crop")
    assert [one.remedy for one in streamed if one.remedy and one.is_fault] == [
        "repair or remove them, or set data.damaged=skip"
    ]


def test_photographs_that_their_camera_rotated_are_counted(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 2, "bee": 2})
    for name, orientation in (("turned", 6), ("upright", 1)):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        Image.new("RGB", (5, 9)).save(tmp_path / "train" / "ant" / f"{name}.jpg", exif=exif)
    found = findings(tmp_path, image_size=32)
    assert values(found)["train images"].endswith("; 1 marked as rotated, used as stored")
    assert [one.remedy for one in found if one.remedy and one.is_fault] == []


def test_many_classes_are_summed_up(tmp_path: Path) -> None:
    write_folder(tmp_path, {f"c{number:02}": 1 + (number == 7) for number in range(12)})
    shown = values(findings(tmp_path, image_size=32))
    assert shown["folder:mine"].startswith("12 classes: c00, c01, ")
    assert shown["folder:mine"].endswith("c09 and 2 more")
    assert shown["train"] == "13 images; 1 (c00) to 2 (c07) of a class"


def test_a_data_set_that_is_not_there_says_so(tmp_path: Path) -> None:
    (found,) = findings(tmp_path / "nowhere")
    assert (found.what, found.value) == ("folder:mine", "not usable")
    assert "is not a directory" in found.remedy


@pytest.mark.parametrize(
    ("name", "num_data_sets", "sentence"),
    [
        ("sheet.png", 0, "give --data once"),
        ("sheet.png", 2, "give --data once"),
        ("sheet.jpg", 1, r"must end in \.png"),
        ("nowhere/sheet.png", 1, r"--contact-sheet .* does not exist"),
    ],
)
def test_a_contact_sheet_that_cannot_be_is_refused_before_any_work(
    tmp_path: Path, name: str, num_data_sets: int, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_contact_sheet(tmp_path / name, num_data_sets)


def test_what_a_plan_would_refuse_or_warn_of_is_said_in_its_words(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 3, "bee": 3})
    by_default = [one for one in findings(tmp_path, image_size=12) if not one.is_fault]
    said = {(one.what.strip(), one.value): one.remedy for one in by_default}
    assert len(by_default) > len(said) == 2  # Each is a line of its own.
    sentences = " ".join(one.remedy for one in by_default)
    assert "retrain.cutout (=16) erases all of an image of 12 x 12 pixels" in sentences
    assert "too small for the auxiliary head" in sentences
    assert "search.batch_size (=128) is more than the 3 images" in sentences
    assert "retrain.batch_size (=96) is more than the 6 images" in sentences


def test_every_condition_that_the_images_alone_break_is_a_fault(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 5})
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        Image.new("RGB", (4, 4)).save(path, "JPEG")
    faults = " ".join(one.remedy for one in findings(tmp_path) if one.is_fault)
    assert "has 1 class" in faults
    assert "images of 4 x 4 pixels are too small" in faults
