"""Stores of every released version of the schema give the answers that they gave then."""

import json
import shutil
from pathlib import Path

import pytest
from golden_stores import STORES, answers


@pytest.mark.parametrize("root", sorted(STORES.glob("*/*/")), ids=lambda root: str(root)[-10:])
def test_a_store_of_a_released_version_gives_its_answers(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "store")

    assert answers(copy) == json.loads((root.parent / "answers.json").read_text("utf-8"))
