"""The import contract of pyproject.toml holds, indirect imports included."""

import re
import subprocess
import sys
from pathlib import Path

from repository import ROOT

PACKAGES = ("fairdarts", "orchestrate", "cli", "results")


def test_imports_point_one_way() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_no_file_of_the_packages_is_longer_than_a_reader_can_follow() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > 400} == {}


def test_nothing_evaluates_or_unpickles_what_a_user_hands_over() -> None:
    forbidden = re.compile(
        r"(?<!\.)\b(eval|exec)\(|import pickle|pickle\.load|yaml\.load|shell=True|torch\.load\("
    )
    found = [
        f"{path.name}: {match.group()}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for match in forbidden.finditer(path.read_text("utf-8"))
    ]
    assert found == []
