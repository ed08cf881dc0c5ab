"""A local Ray in unusual surroundings."""

import os
import subprocess
import sys
from pathlib import Path

from repository import ROOT

CODE = """
import os, stat
from pathlib import Path
from orchestrate.running.cluster import cluster

with cluster(None) as nodes:
    import ray

    @ray.remote
    def imported():
        import numpy
        return numpy.__file__

    files = list(Path(ray._private.worker._global_node.get_session_dir_path()).rglob("*"))
    token = os.environ["RAY_AUTH_TOKEN"].encode()
    told = [path for path in files if path.is_file() and token in path.read_bytes()]
    open_ = [path for path in files if path.is_file() and path.stat().st_mode & 0o077]
    print(len(nodes), told, open_, Path(ray.get(imported.remote())).parent.name)
"""
PLANTED = ("numpy", "torch", "json", "orchestrate", "sitecustomize")


def test_ray_starts_anywhere_keeps_its_token_and_imports_nothing_from_the_working_folder(
    tmp_path: Path,
) -> None:
    temporary, home, store = tmp_path / ("long" * 30), tmp_path / "home", tmp_path / "store"
    for folder in (temporary, home, store):
        folder.mkdir()
    for name in PLANTED:
        (store / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (tmp_path / "driver.py").write_text(CODE)
    unset = ("RAY_TMPDIR", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}

    done = subprocess.run(
        [sys.executable, tmp_path / "driver.py"],
        env=inherited | {"TMPDIR": str(temporary), "HOME": str(home), "PYTHONPATH": str(ROOT)},
        cwd=store,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 [] [] numpy\n"
    assert list(home.iterdir()) == []
    assert not (tmp_path / "ran").exists()
