"""A local Ray in unusual surroundings."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
from orchestrate.running.cluster import cluster
with cluster(None) as nodes:
    print(len(nodes))
"""


def test_ray_starts_with_a_long_temporary_folder_and_writes_nothing_into_the_home_folder(
    tmp_path: Path,
) -> None:
    temporary, home = tmp_path / ("long" * 30), tmp_path / "home"
    temporary.mkdir()
    home.mkdir()
    unset = ("RAY_TMPDIR", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}

    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=inherited | {"TMPDIR": str(temporary), "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "1\n"
    assert list(home.iterdir()) == []
