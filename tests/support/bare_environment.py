"""A Python that has a few packages and what they need, and nothing else that is installed here."""

import re
import venv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement


def bare_environment(root: Path, packages: Sequence[str]) -> Path:
    """Make it from links to the packages, and return its interpreter."""
    venv.EnvBuilder(symlinks=True).create(root)
    (site_packages,) = root.glob("lib/python*/site-packages")
    for distribution in _with_requirements(packages):
        for name in {Path(str(file)).parts[0] for file in distribution.files or []}:
            source = Path(str(distribution.locate_file(name)))
            target = site_packages / name
            if name not in ("..", "__pycache__") and source.exists() and not target.exists():
                target.symlink_to(source)
    return root / "bin" / "python"


def _with_requirements(packages: Sequence[str]) -> list[metadata.Distribution]:
    found: dict[str, metadata.Distribution] = {}
    wanted = list(packages)
    while wanted:
        name = wanted.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # it is for a machine of another kind
        for line in found[key].requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    return list(found.values())
