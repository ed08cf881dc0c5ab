import io
import os
from pathlib import Path

import pytest
from jpeg_files import jpeg, write_folder, write_parquet
from PIL import Image

from fairdarts.config import DataConfig
from fairdarts.data.contact_sheet import COLUMNS, NUM_EXAMPLES, TILE, contact_sheet
from fairdarts.data.folders import Reason
from fairdarts.data.survey import SAMPLE, survey
from fairdarts.errors import DataError


def test_a_folder_is_described_as_it_is_stored(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 2, "bee": 1}, test="val")
    train = tmp_path / "train"
    Image.new("L", (5, 9)).save(train / "bee" / "grey.png")
    Image.new("CMYK", (5, 9)).save(train / "bee" / "print.tif")
    (train / "ant" / "Thumbs.db").touch()
    (tmp_path / "val" / "ant" / ".hidden").touch()
    found = survey(DataConfig(source=f"folder:{tmp_path}"))
    assert found.train.per_class == {"ant": 2, "bee": 3}
    assert found.test.per_class == {"ant": 2, "bee": 1}
    assert found.train.num_images == found.train.num_sampled == 5
    assert found.train.modes == {"RGB": 3, "L": 1, "CMYK": 1}
    assert found.train.sizes[5, 9] == 2 and found.train.sizes.total() == 5
    assert {(one.path.name, one.reason) for one in found.skipped} == {
        ("Thumbs.db", Reason.OTHER_NAME),
        (".hidden", Reason.HIDDEN),
    }
    assert found.train.unusable == found.train.examples == ()


def test_images_that_cannot_be_used_are_named_and_end_nothing(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 2, "bee": 2})
    ant = tmp_path / "train" / "ant"
    (ant / "cut.jpg").write_bytes(jpeg(0)[:200])
    (ant / "empty.jpg").touch()
    Image.new("I;16", (8, 8)).save(ant / "deep.png")
    train = survey(DataConfig(source=f"folder:{tmp_path}"), num_examples=9).train
    assert [sentence.split("ant/")[1].split(" ")[0] for sentence in sorted(train.unusable)] == [
        "cut.jpg",
        "deep.png",
        "empty.jpg",
    ]
    assert (train.num_images, train.num_sampled, train.modes["I;16"]) == (7, 7, 1)
    assert [example.class_name for example in train.examples] == ["ant", "ant", "bee", "bee"]


def test_settings_choose_what_is_described(tmp_path: Path) -> None:
    write_parquet(tmp_path, [0, 1, 2, 0, 1, 2], row_group_size=2)
    (tmp_path / "extra.parquet").touch()
    found = survey(DataConfig(source=f"parquet:{tmp_path}", num_classes=2, num_test=2))
    assert (found.train.per_class, found.test.per_class) == ({"0": 2, "1": 2}, {"0": 1, "1": 1})
    assert [(one.path.name, one.reason) for one in found.skipped] == [
        ("extra.parquet", Reason.OTHER_SPLIT)
    ]


def test_of_many_images_a_sample_is_decoded(tmp_path: Path) -> None:
    for split, count in (("train", SAMPLE + 40), ("test", 1)):
        for name in ("ant", "bee"):
            (tmp_path / split / name).mkdir(parents=True)
            first = tmp_path / split / name / "0.jpg"
            first.write_bytes(jpeg(0))
            for number in range(1, count):
                os.link(first, first.with_name(f"{number}.jpg"))
    train = survey(DataConfig(source=f"folder:{tmp_path}"), NUM_EXAMPLES).train
    assert (train.num_images, train.num_sampled) == (2 * (SAMPLE + 40), SAMPLE)
    names = [example.class_name for example in train.examples]
    assert names == ["ant"] * 8 + ["bee"] * 8


def test_what_is_in_memory_is_described_as_the_networks_see_it() -> None:
    found = survey(DataConfig(num_train=20, num_test=10), num_examples=10)
    assert found.train.per_class == dict.fromkeys(map(str, range(10)), 2)
    assert (found.train.sizes, found.train.modes) == ({(32, 32): 20}, {"RGB": 20})
    assert [example.class_name for example in found.test.examples] == list("0123456789")


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a directory"):
        survey(DataConfig(source=f"folder:{tmp_path / 'nowhere'}"))


def test_a_contact_sheet_is_a_png_with_images_of_both_splits(tmp_path: Path) -> None:
    for split, shades in (("train", (250, 0, 0)), ("test", (0, 0, 250))):
        for name in ("ant", "a class with a name that is far too long for its tile"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (3, 5), shades).save(tmp_path / split / name / "0.png")
    found = survey(DataConfig(source=f"folder:{tmp_path}"), NUM_EXAMPLES)
    sheet = Image.open(io.BytesIO(contact_sheet(found)))
    assert sheet.format == "PNG" and sheet.width > COLUMNS * TILE
    drawn = dict(map(reversed, sheet.convert("RGB").getcolors(10**6) or ()))
    assert drawn[250, 0, 0] == drawn[0, 0, 250] == 2 * (3 * 19) * (5 * 19)
