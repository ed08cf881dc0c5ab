"""`fairdarts arch export`: a network as a file that other programs read."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.genotypes import GenotypeArgument, read_genotype, stored_id
from cli.options import DEFAULT_STORE, SetOption, StoreOption
from cli.output import check_output, write_output
from cli.progress import working

if TYPE_CHECKING:
    from fairdarts.config import RetrainConfig
    from fairdarts.export.description import Description
    from fairdarts.genotype.cell_genotype import Genotype
    from fairdarts.network.build import AnyNetwork


def export(
    genotype: GenotypeArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The model: FILE.onnx or FILE.safetensors."
        ),
    ],
    image_size: Annotated[
        int | None,
        typer.Option(
            min=4, max=2048, help="Height and width; default: as trained, or 32, or 224 for S2."
        ),
    ] = None,
    num_classes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Classes of a network with random weights; default: 10, or 1000 for S2.",
        ),
    ] = None,
    uint8: Annotated[
        bool,
        typer.Option(
            "--uint8",
            help="ONNX: the model takes RGB pixels as Pillow and NumPy have them, uint8 (batch, "
            "height, width, 3), and normalises them; default: it takes normalised float32 "
            "(batch, 3, height, width).",
        ),
    ] = False,
    set_: SetOption = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write a network as an ONNX model, or its weights for timm.

    If GENOTYPE is the id of a trial whose retraining is finished, the trained network is written.
    Otherwise the network has random weights; its size is that of the usual recipe of its search
    space, and --set changes it, e.g. --set recipe=imagenet-transfer. An ONNX model is checked with
    onnxruntime before it is written. The metadata of the file say how images are resized and
    normalised, what the classes are called and which trial it is; examples/predict.py and
    `fairdarts.timm_models.load_exported` read them. FILE.md beside it is a model card, as the
    Hugging Face hub reads it: accuracy with its n, cost, classes, how to load it, provenance.

    Examples:

    \b
        fairdarts arch export 2ab06ff84962f250 -o trained.onnx --uint8
        fairdarts arch export 2ab06ff84962f250 -o trained.safetensors
        fairdarts arch export FairDARTS_a -o random.onnx
    """
    from dataclasses import replace

    from fairdarts.errors import ConfigError
    from fairdarts.export.card import model_card
    from results.store.store import Store

    if output.suffix not in (".onnx", ".safetensors"):
        raise ConfigError(f"--output (={str(output)!r}) must end in .onnx or .safetensors.")
    if uint8 and output.suffix != ".onnx":
        raise ConfigError("--uint8 is for ONNX models: weights alone take no images.")
    check_output(output)
    id_ = stored_id(genotype, store)
    if id_ and Store.open(store).read("retrains", [id_]).num_rows:
        from orchestrate.stages.provenance import provenance_of
        from orchestrate.stages.trained import trained_network

        if num_classes is not None or set_:
            option = "--num-classes" if num_classes is not None else "--set"
            raise ConfigError(
                f"{option} cannot apply: trial {id_} is exported as "
                "it was trained; give its genotype instead to export a network with random weights."
            )
        network, description = trained_network(Store.open(store), id_)
        origin = provenance_of(Store.open(store), id_)
    else:
        origin = None
        network, description = _untrained(genotype, num_classes, set_, store)
        print(f"warning: the weights are RANDOM: {_why_random(id_)}", file=sys.stderr)
    description = replace(description, image_size=image_size or description.image_size)
    with working("exporting the network"):
        if output.suffix == ".onnx":
            from fairdarts.export.onnx import to_onnx

            content = to_onnx(network, description, uint8=uint8)
        else:
            from fairdarts.export.weights import to_safetensors

            content = to_safetensors(network, description)
    write_output(output, content)
    _write_card(output, model_card(output, network, description, origin, uint8=uint8))
    weights, size = description.metadata()["weights"], description.image_size
    given = "uint8 pixels" if uint8 else "normalised as in training"
    print(f"{output}: {weights} weights, images of 3 x {size} x {size}, {given}.")


def _write_card(output: Path, text: str) -> None:
    """Write the card beside the model, unless a file of the user has its name."""
    from fairdarts.export.card import MARK

    card = output.with_name(f"{output.name}.md")
    if not output.is_file():  # A pipe or a device has nothing beside it.
        return
    if card.exists() and MARK not in card.read_text("utf-8", errors="replace"):
        print(
            f"warning: {card} is not a card of `arch export`: it is left as it is.", file=sys.stderr
        )
        return
    write_output(card, text.encode())
    print(f"{card}: the model card.")


def _why_random(id_: str | None) -> str:
    if id_:
        return (
            f"{id_} is not a trial whose retraining is finished (`fairdarts show {id_}` says what "
            "it is)."
        )
    return (
        "a genotype describes how a network is built and has no weights. To export trained "
        "weights, give the id of a trial whose retraining is finished."
    )


@working("building the network")
def _untrained(
    text: str, num_classes: int | None, assignments: list[str] | None, store: Path
) -> "tuple[AnyNetwork, Description]":
    import torch

    from cli.genotypes import CELL_SCALE, LAYER_SCALE
    from fairdarts.conditions import foreign_setting
    from fairdarts.errors import ConfigError
    from fairdarts.export.description import Description, published_statistics
    from fairdarts.genotype.cell_genotype import Genotype
    from fairdarts.genotype.layer_genotype import LayerGenotype
    from fairdarts.network.build import build_network
    from orchestrate.planning.settings import full_name, parse_assignment, resolve

    _, architecture = read_genotype(text, store)
    pairs = dict(parse_assignment(text) for text in assignments or [])
    settings = {full_name(name): value for name, value in pairs.items()}
    for name in settings:
        if name != "seed" and not name.startswith("retrain."):
            raise ConfigError(
                f"--set {name} cannot apply: only settings of retrain change the network."
            )
    layers = [{"search.space": architecture.space}, settings]
    # Settings of image augmentation must not lead to errors here: no images are read.
    layers.append({"retrain.color_jitter": False, "retrain.auto_augment": False})
    config = resolve("fairdarts", layers).retrain
    scale = LAYER_SCALE if isinstance(architecture, LayerGenotype) else CELL_SCALE
    size = 224 if config.stem == "imagenet" else scale["image_size"]
    num_classes = num_classes or scale["num_classes"]
    if fault := foreign_setting(config, has_cells=not isinstance(architecture, LayerGenotype)):
        raise ConfigError(f"{fault}.")
    if isinstance(architecture, Genotype):
        _check_memory(architecture, config, num_classes)
    torch.manual_seed(config.seed)
    network = build_network(architecture, config, num_classes)
    mean, std = published_statistics(config, architecture)
    description = Description(
        genotype=architecture.pruned(),
        config=config,
        num_classes=num_classes,
        image_size=size,
        mean=mean,
        std=std,
        crop_mode="center" if size == LAYER_SCALE["image_size"] else "squash",
    )
    return network, description


def _check_memory(genotype: "Genotype", config: "RetrainConfig", num_classes: int) -> None:
    """Refuse a network that does not fit in memory.

    Linux grants such a request at first, and kills the process when it uses the memory.
    """
    import psutil

    from fairdarts.errors import ConfigError
    from fairdarts.genotype.cell_cost import cell_network_cost

    cost = cell_network_cost(
        genotype,
        init_channels=config.init_channels,
        num_cells=config.num_cells,
        image_size=224,  # the weights do not depend on it; large enough for both stems
        num_classes=num_classes,
        auxiliary=config.auxiliary_weight > 0,
        stem=config.stem,
    )
    # 4 bytes for each float32 weight.
    needed, free = 4 * cost.params_with_auxiliary, psutil.virtual_memory().available
    if needed > free:
        raise ConfigError(
            f"a network of {cost.params_with_auxiliary:,} params takes {needed / 2**30:,.0f} GiB, "
            f"and {free / 2**30:,.0f} GiB are free: lower retrain.init_channels or "
            "retrain.num_cells."
        )
