"""The checks of `fairdarts doctor --data`: what is in a data set, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairdarts.config import DataConfig
    from fairdarts.data.facts import Facts
    from fairdarts.data.survey import SplitSurvey, Survey

NUM_NAMES = 10
"""At most this many classes or sizes are named."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    value: str
    remedy: str = ""
    """What to do; empty if nothing is wrong."""
    is_fault: bool = True
    """Whether what has a remedy must be mended; False: it is advice."""
    figures: dict[str, Any] = field(default_factory=dict)
    """The facts in `value` for scripts; names of numbers end in their units."""


def check_contact_sheet(path: Path, num_data_sets: int) -> None:
    """Refuse a contact sheet that cannot be drawn or written, before any work is done.

    Raises:
        ConfigError: If there is not exactly one data set, or the file cannot be written.
    """
    from cli.output import check_output
    from fairdarts.errors import ConfigError

    if num_data_sets != 1:
        raise ConfigError("--contact-sheet draws one data set: give --data once.")
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--contact-sheet (={str(path)!r}) must end in .png: it is a PNG.")
    check_output(path, "--contact-sheet")


def data_findings(config: "DataConfig", name: str, sheet: Path | None) -> Iterator[Finding]:
    """Describe a data set and name its faults.

    Args:
        config: The data set.
        name: Name that the user gave it.
        sheet: File for a contact sheet; None: no sheet.
    """
    for finding in _findings(config, name, sheet):
        yield replace(finding, figures={"data": name} | finding.figures)


def _findings(config: "DataConfig", name: str, sheet: Path | None) -> Iterator[Finding]:
    from fairdarts.data.contact_sheet import NUM_EXAMPLES, contact_sheet
    from fairdarts.data.facts import facts
    from fairdarts.data.folders import describe
    from fairdarts.data.survey import survey
    from fairdarts.errors import FairDartsError

    try:
        found = survey(config, NUM_EXAMPLES if sheet else 0)
    except FairDartsError as error:
        yield Finding(name, "not usable", str(error))
        return
    classes = list(found.train.per_class)
    yield Finding(
        name,
        f"{len(classes):,} {'class' if len(classes) == 1 else 'classes'}: {_some(classes)}",
        figures={"classes": classes, "num_classes": len(classes)},
    )
    for split_name, split in (("train", found.train), ("test", found.test)):
        yield from _split(split_name, split, config)
    if found.skipped:
        yield Finding(
            "  skipped",
            describe(list(found.skipped)),
            figures={"skipped": [[str(one.path), str(one.reason)] for one in found.skipped]},
        )
    try:
        known = facts(config)
    except FairDartsError as error:
        yield Finding("  as it is set", "not usable", str(error))
    else:
        yield from _conditions(config, known)
    for fault in _sizes_differ(found, config):
        yield Finding("  as it is set", "not usable", fault)
    if sheet is not None:
        from cli.output import write_output

        write_output(sheet, contact_sheet(found))
        yield Finding("  contact sheet", str(sheet))


def _conditions(config: "DataConfig", known: "Facts") -> Iterator[Finding]:
    """What a plan would refuse or warn of: whatever its settings, and with the default ones."""
    from fairdarts.conditions import Setup, faults, warnings
    from fairdarts.config import RetrainConfig, SearchConfig

    always = faults(Setup(data=config, facts=known))
    for fault in always:
        yield Finding("  as it is set", "not usable", fault)
    by_default = Setup(data=config, facts=known, search=SearchConfig(), retrain=RetrainConfig())
    for fault in faults(by_default):
        if fault not in always:
            yield Finding("  by default", "a sweep would be refused", fault, is_fault=False)
    for warning in warnings(by_default):
        yield Finding("  by default", "a sweep would warn", warning, is_fault=False)


def _split(name: str, split: "SplitSurvey", config: "DataConfig") -> Iterator[Finding]:
    yield Finding(
        f"  {name}",
        f"{split.num_images:,} image{'' if split.num_images == 1 else 's'}; "
        f"{_balance(split.per_class)}",
        figures={"num_images": split.num_images, "images_per_class": split.per_class},
    )
    which = "all" if split.num_sampled == split.num_images else f"a sample of {split.num_sampled}"
    sizes = [f"{width} x {height}" for width, height in sorted(split.sizes)]
    if len(sizes) > NUM_NAMES:
        widths, heights = zip(*split.sizes, strict=True)
        sizes = [f"{min(widths)} to {max(widths)} x {min(heights)} to {max(heights)}"]
    modes = ", ".join(f"{number} {mode}" for mode, number in split.modes.most_common())
    yield Finding(
        f"  {name} images",
        f"{', '.join(sizes) or 'unknown'} pixels; {modes or 'none read'} ({which} decoded)"
        + (f"; {split.num_rotated} marked as rotated, used as stored" if split.num_rotated else ""),
        figures={
            "num_decoded": split.num_sampled,
            "sizes": [[*size, number] for size, number in sorted(split.sizes.items())],
            "modes": dict(split.modes),
            "num_rotated": split.num_rotated,
        },
    )
    if split.unusable:
        more = len(split.unusable) - 3
        skip = config.augmentation == "resized_crop"
        yield Finding(
            f"  {name} images",
            f"{len(split.unusable)} of {split.num_sampled} cannot be used: "
            + " ".join(split.unusable[:3])
            + (f" And {more} more." if more > 0 else ""),
            "repair or remove them" + (", or set data.damaged=skip" if skip else ""),
            figures={"unusable": list(split.unusable)},
        )


def _balance(per_class: dict[str, int]) -> str:
    """Say how many images the classes have, in a few words."""
    numbers = set(per_class.values())
    if len(numbers) == 1:
        return f"{numbers.pop():,} of each class"
    if len(per_class) <= NUM_NAMES:
        return ", ".join(f"{name} {number:,}" for name, number in per_class.items())
    fewest, most = (choose(per_class, key=lambda name: per_class[name]) for choose in (min, max))
    return f"{per_class[fewest]:,} ({fewest}) to {per_class[most]:,} ({most}) of a class"


def _sizes_differ(found: "Survey", config: "DataConfig") -> list[str]:
    """Fault if images differ in size and no setting resizes them, as far as the sample shows it."""
    sizes = found.train.sizes | found.test.sizes
    if config.image_size or config.augmentation == "resized_crop" or len(sizes) <= 1:
        return []
    return [
        "images are of different sizes: set data.image_size to resize them all to one square, or "
        "data.augmentation to resized_crop."
    ]


def _some(names: list[str]) -> str:
    more = len(names) - NUM_NAMES
    return ", ".join(names[:NUM_NAMES]) + (f" and {more} more" if more > 0 else "")
