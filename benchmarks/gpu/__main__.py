"""Measure all that a GPU must answer, part by part, in less than five minutes.

python -m benchmarks.gpu --out FOLDER [--data FOLDER] [--only PART ...]

The folder gets `gpu.md` (one table), `gpu.json` (the same and more digits) and `log.txt`; the first
two are written anew after every reading, so what was measured stays if the run is cut short.
"""

import argparse
import importlib.util
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from benchmarks.gpu.parts import Part, all_parts
from benchmarks.gpu.readings import FULL, TINY, Setup

NEEDED = ("torch", "timm", "pydantic", "numpy")
BAD_INPUT = 2
NOT_ALL_DONE = 1


def main() -> int:
    """Measure, print the table, and say by the exit code whether every part was measured."""
    options = _options()
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        names = ", ".join(missing[:-1]) + " and " * (len(missing) > 1) + missing[-1]
        verb = "is" if len(missing) == 1 else "are"
        return _refuse(f"{names} {verb} missing: pip install {' '.join(missing)}.")
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        return _refuse("no CUDA device here: `--device cpu --tiny` tries the command itself.")
    from benchmarks.gpu.processes import run_part
    from benchmarks.gpu.report import page, write

    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    setup = Setup(options.device, TINY if options.tiny else FULL, options.data)
    environment = _environment(options.device)
    parts = [part for part in all_parts() if not options.only or part.name in options.only]
    (folder / "log.txt").write_text("", "utf-8")
    ends = time.monotonic() + options.seconds
    for part in parts:
        limit_s = min(part.limit_s, ends - time.monotonic())
        if limit_s <= 0:
            part.status, part.reason = "skipped", f"the {options.seconds:g} s were used up"
        else:
            run_part(
                part,
                setup,
                limit_s,
                folder / "log.txt",
                lambda: write(folder, environment, parts),
            )
        write(folder, environment, parts)
        print(f"{part.name}: {part.status} {part.reason} ({part.seconds:.0f} s)", flush=True)
    print(f"\n{page(environment, parts)}")
    return NOT_ALL_DONE if any(map(_is_wrong, parts)) else 0


def _options() -> argparse.Namespace:
    names = [part.name for part in all_parts()]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10 as Parquet, for `epoch`")
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="PART", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--seconds", type=float, default=290, help="for all parts; default: 290")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes that only try the command")
    return parser.parse_args()


def _environment(device: str) -> dict[str, str]:
    card = {"card": "none (CPU)"} if device == "cpu" else _card()
    versions = {name: _version(name) for name in ("torch", "triton", "timm")}
    return card | versions | {"python": sys.version.partition(" ")[0]}


def _card() -> dict[str, str]:
    import torch

    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, check=True, capture_output=True, text=True)
        driver = done.stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        driver = "unknown"
    cudnn: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return {
        "card": torch.cuda.get_device_name(),
        "driver": driver,
        "CUDA": str(torch.version.cuda),
        "cuDNN": str(cudnn),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _is_wrong(part: Part) -> bool:
    return part.status not in ("done", "skipped")


def _refuse(sentence: str) -> int:
    print(f"benchmarks.gpu: {sentence}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
