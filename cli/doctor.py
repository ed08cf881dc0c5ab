"""`fairdarts doctor`: what this machine and the cluster have, what is missing, how to fix it."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.doctor_data import Finding, check_contact_sheet, data_findings
from cli.formats import Format, FormatOption, indented, print_json
from cli.images import Fingerprinter
from cli.interrupt import tidying
from cli.options import DEFAULT_STORE, AddressOption, ScaleOption, SetOption, StoreOption
from cli.planned import planned
from cli.progress import working
from results.text import counted

if TYPE_CHECKING:
    from fairdarts.config import DataConfig
    from orchestrate.running.forecast import Forecast

MIN_FREE_DISK_GIB = 5
MIN_MEMORY_GIB = 4


def doctor(
    store: StoreOption = DEFAULT_STORE,
    address: AddressOption = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Check this data set too, e.g. parquet:DIR, with the settings of --set data.*; "
            "can be given several times.",
        ),
    ] = None,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw 4 x 8 images of the data set of --data: FILE.png."),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="SWEEP",
            help="Measure how much memory the trials of this sweep need, and how many should share "
            "a GPU: its name, or a TOML file.",
        ),
    ] = None,
    scale: ScaleOption = "paper",
    set_: SetOption = None,
    download: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Download a data set first: cifar10 or cifar100."),
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Check this machine, the cluster and data sets.

    With --sweep also checks whether the trials of a sweep have the memory that they need. If they
    get a GPU, some seconds of each kind of stage are measured on it, and the fraction of a GPU is
    recommended that keeps it busy and has the memory; without a GPU here, what memory allows. Every
    fault is printed with its remedy; the exit code is 1 if there is one. For a data set (--data),
    what a sweep would refuse or warn of at the default settings is advice. As JSON: a list of what,
    ok, value and remedy, with the figures of the value, such as free_gib.

    Examples:

    \b
        fairdarts doctor
        fairdarts doctor --data folder:photos --contact-sheet photos.png
        fairdarts doctor --data parquet:cifar100 --set data.label_column=coarse_label
        fairdarts doctor --sweep quickstart
    """
    configs = _data_configs(data or [], set_ or [], sweep)
    if contact_sheet is not None:
        check_contact_sheet(contact_sheet, len(configs))
    if sweep is not None:
        from orchestrate.planning.sweep_file import load_sweep

        load_sweep(sweep, set_, scale)  # A wrong name is an error at once, before slow checks.
    if download is not None:
        _download(download)
    findings = _findings(store, address)
    for name, config in configs.items():
        findings = chain(findings, data_findings(config, name, contact_sheet))
    if sweep is not None:
        findings = chain(findings, _memory(store, sweep, scale, set_))
    found = []
    with tidying():  # Ends Ray and the processes that measure memory.
        for finding in _in_patience(findings):
            found.append(finding)
            if format_ is Format.TEXT:  # Some checks take seconds: print each result at once.
                _print(finding)
    if format_ is Format.JSON:
        print_json([_document(finding) for finding in found])
    raise typer.Exit(1 if any(finding.remedy and finding.is_fault for finding in found) else 0)


def _in_patience(findings: Iterator[Finding]) -> Iterator[Finding]:
    while True:
        with working("checking"):
            finding = next(findings, None)
        if finding is None:
            return
        yield finding


def _print(finding: Finding) -> None:
    mark = "!" if finding.remedy else "ok"
    print(indented(finding.value, f"{mark:<3}{finding.what:<15} ", " " * 19), flush=True)
    if finding.remedy:
        print(indented(finding.remedy, " " * 19 + "-> ", " " * 22), flush=True)


def _document(finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what.strip(),
        "ok": not (finding.remedy and finding.is_fault),
        "value": finding.value,
        "remedy": finding.remedy or None,
        **finding.figures,
    }


def _findings(store: Path, address: str | None) -> Iterator[Finding]:
    yield from _software()
    yield from _machine(store)
    yield from _named_data()
    yield from _ray(address)


def _software() -> Iterator[Finding]:
    import platform
    from importlib import metadata

    yield Finding("python", platform.python_version())
    for package in ("torch", "torchvision", "timm", "ray", "pyarrow", "pandas"):
        try:
            yield Finding(package, metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Finding(package, "not installed", "pip install --upgrade fairdarts")


def _machine(store: Path) -> Iterator[Finding]:
    import psutil
    import torch

    from orchestrate.planning.resources import num_cpus, this_machine

    machine = this_machine()
    yield Finding("cuda", torch.version.cuda or "none: this torch is a CPU build")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            memory_gib = torch.cuda.get_device_properties(index).total_memory / 2**30
            yield Finding(
                f"gpu {index}",
                f"{torch.cuda.get_device_name(index)}, {memory_gib:.0f} GiB",
                figures={"memory_gib": memory_gib},
            )
    elif machine["GPU"]:
        yield Finding(
            "gpu",
            f"{machine['GPU']:g} present, but torch {torch.__version__} cannot use them",
            "install an NVIDIA driver that supports CUDA "
            f"{torch.version.cuda or '(this torch is a CPU build)'}, or a matching torch build",
        )
    else:
        yield Finding("gpu", "none; trials run on the CPU")
    yield Finding("cpu cores", str(num_cpus()), figures={"num_cpus": num_cpus()})
    memory_gib = psutil.virtual_memory().available / 2**30
    yield Finding(
        "memory",
        f"{memory_gib:.1f} GiB available",
        "" if memory_gib >= MIN_MEMORY_GIB else "lower resources.max_concurrent, or free memory",
        figures={"available_gib": memory_gib},
    )
    existing = next(path for path in (store.absolute(), *store.absolute().parents) if path.exists())
    free_gib = psutil.disk_usage(str(existing)).free / 2**30
    yield Finding(
        "disk",
        f"{free_gib:.0f} GiB free at {existing}",
        "" if free_gib >= MIN_FREE_DISK_GIB else "choose another folder with --store",
        figures={"free_gib": free_gib},
    )


def _named_data() -> Iterator[Finding]:
    """Check data sets that need no folder. A missing CIFAR is not a fault: few users need both."""
    from fairdarts.config import DataConfig
    from fairdarts.data.sources import load
    from fairdarts.errors import DataError

    for source in ("digits", "cifar10", "cifar100"):
        try:
            train, test = load(DataConfig(source=source))
        except DataError:
            yield Finding(source, f"not here; `fairdarts doctor --download {source}` gets it")
            continue
        yield Finding(
            source,
            f"{len(train)} + {len(test)} images of {train.image_size} x {train.image_size}, "
            f"{train.num_classes} classes",
            figures={
                "num_train": len(train),
                "num_test": len(test),
                "image_size": train.image_size,
                "num_classes": train.num_classes,
            },
        )


def _data_configs(
    sources: list[str], assignments: list[str], sweep: str | None
) -> "dict[str, DataConfig]":
    """Build the settings of each data set, by the name that the user gave.

    Raises:
        ConfigError: If no check of this call would use a setting.
    """
    from fairdarts.config import DataConfig
    from fairdarts.errors import ConfigError
    from orchestrate.planning.settings import full_name, parse_assignment

    given = {}
    for name, value in map(parse_assignment, assignments):
        if sweep is not None and name.startswith(("resources.", "random.")):
            continue  # A sweep has more settings than a data set.
        section, _, field = full_name(name).partition(".")
        if section == "data" and sources:
            given[field] = value
        elif sweep is None:
            what = "--data" if section == "data" else "--sweep"
            raise ConfigError(
                f"--set {name} changes nothing here: give {what} too, or leave it out."
            )
    return {source: DataConfig.build(_of(source) | given, "data") for source in sources}


def _of(source: str) -> dict[str, Any]:
    # ImageNet is too large for the other augmentations, which keep all images in memory.
    how = {"augmentation": "resized_crop"} if source == "imagenet" else {}
    return how | {"source": source}


def _ray(address: str | None) -> Iterator[Finding]:
    from orchestrate.errors import ClusterError
    from orchestrate.running.cluster import cluster

    where = f"the cluster at {address}" if address else "started here"
    try:
        with cluster(address) as nodes:
            cpus, gpus = (sum(node.get(unit, 0) for node in nodes) for unit in ("CPU", "GPU"))
            offer = f"{counted(len(nodes), 'node')}, {cpus:g} CPU, {gpus:g} GPU"
            figures = {"num_nodes": len(nodes), "num_cpus": cpus, "num_gpus": gpus}
            yield Finding("ray cluster", f"{where}: {offer}", figures=figures)
    except ClusterError as error:
        yield Finding(
            "ray cluster", str(error), "see `ray status` on the head node, or leave out --address"
        )


def _memory(
    store: Path, sweep: str, scale: str, assignments: list[str] | None
) -> Iterator[Finding]:
    import psutil
    import torch

    from cli.doctor_gpu import shares_elsewhere, shares_here
    from orchestrate.planning.resources import TRAINING_KINDS, Room, stage_shares, this_machine
    from orchestrate.planning.sweep_file import load_sweep
    from orchestrate.running.forecast import forecasts

    loaded = load_sweep(sweep, assignments, scale)
    machine = this_machine()
    trials = planned(loaded, Fingerprinter(store))
    on_gpus = [kind for kind in TRAINING_KINDS if loaded.resources.of(kind).gpus]
    if on_gpus and not machine["GPU"]:  # The sweep is for other machines.
        yield from shares_elsewhere(trials, on_gpus)
        return
    shares = stage_shares(loaded.resources, [machine])
    at_once = Room([machine], shares, loaded.resources.max_concurrent).at_once
    for on_gpu in sorted({bool(share.gpus) for share in shares.values()}):
        if on_gpu:
            available = torch.cuda.get_device_properties(0).total_memory
            where = "of GPU 0"
        else:
            available = psutil.virtual_memory().available
            where = "available here"
        # A kind to how many of it share this memory.
        sharing = {
            kind: int(1 / share.gpus) if on_gpu else at_once[kind]
            for kind, share in shares.items()
            if bool(share.gpus) == on_gpu
        }
        for forecast in forecasts(trials, on_gpu):
            yield _finding(forecast, sharing, available, where)
        if on_gpu:
            yield from shares_here(trials, shares, machine, available)


def _finding(forecast: "Forecast", sharing: dict[str, int], available: int, where: str) -> Finding:
    """Whether the stages that share a memory fit into it."""
    peaks = {"search": forecast.search, "retrain": forecast.retrain}
    parts, needed, most = [], 0, 1
    for kind, number in sharing.items():
        if (peak := peaks[kind]) is None:
            continue
        together = min(max(1, number), forecast.num_trials)
        parts.append(f"{'retraining' if kind == 'retrain' else kind} {_gib(peak)}")
        if peak * together > needed:
            needed, most = peak * together, together
    others = f" and {forecast.num_trials - 1} more" if forecast.num_trials > 1 else ""
    return Finding(
        "memory",
        f"{forecast.label}{others}: {', '.join(parts)}; {most} at once need {_gib(needed)} of "
        f"{_gib(available)} {where}",
        ""
        if needed <= available
        else "--set search.recompute=true, then --set search.micro_batches=2 or more, or fewer "
        "at once (resources.max_concurrent, resources.gpus_per_trial)",
        figures={"needed_gib": needed / 2**30, "available_gib": available / 2**30},
    )


def _gib(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.1f} GiB"


def _download(name: str) -> None:
    from fairdarts.config import DataConfig
    from fairdarts.data.sources import load
    from fairdarts.errors import DataError

    if name not in ("cifar10", "cifar100"):
        raise DataError(f"--download {name}: only cifar10 and cifar100 can be downloaded.")
    load(DataConfig(source=name), download=True)
