"""`fairdarts arch export`: a network as a file that other programs read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.genotypes import GenotypeArgument, read_genotype, stored_id
from cli.options import DEFAULT_STORE, SetOption, StoreOption
from cli.output import check_output, write_output

if TYPE_CHECKING:
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
        typer.Option(min=4, help="Height and width; default: as trained, or 32, or 224 for S2."),
    ] = None,
    num_classes: Annotated[
        int | None,
        typer.Option(min=1, help="Of an untrained network; default: 10, or 1000 for S2."),
    ] = None,
    set_: SetOption = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write a network as an ONNX model, or its weights for timm.

    The id of a trial whose retraining is finished gives the trained network. Anything else gives
    one with random weights, in the size of the recipe of its search space; --set changes it, such
    as --set recipe=imagenet-transfer. An ONNX model is checked with onnxruntime before it is
    written.

    Examples:

    \b
        fairdarts arch export FairDARTS_a -o random.onnx
        fairdarts arch export 2ab06ff84962f250 -o trained.safetensors
    """
    from fairdarts.errors import ConfigError
    from results.store.store import Store

    if output.suffix not in (".onnx", ".safetensors"):
        raise ConfigError(f"--output (={str(output)!r}) must end in .onnx or .safetensors.")
    check_output(output)
    id_ = stored_id(genotype, store)
    if id_ and Store.open(store).read("retrains", [id_]).num_rows:
        from orchestrate.stages.trained import trained_network

        network, trained_size = trained_network(Store.open(store), id_)
        weights = "trained"
    else:
        network, trained_size = _untrained(genotype, num_classes, set_, store)
        weights = "random"
    size = image_size or trained_size
    if output.suffix == ".onnx":
        from fairdarts.export.onnx import to_onnx

        content = to_onnx(network, size)
    else:
        from safetensors.torch import save

        content = save({name: value.contiguous() for name, value in network.state_dict().items()})
    write_output(output, content)
    print(f"{output}: {weights} weights, images of 3 x {size} x {size}, normalised as in training.")


def _untrained(
    text: str, num_classes: int | None, assignments: list[str] | None, store: Path
) -> "tuple[AnyNetwork, int]":
    import torch

    from cli.genotypes import CELL_SCALE, LAYER_SCALE
    from fairdarts.config import RetrainConfig
    from fairdarts.genotype.layer_genotype import LayerGenotype
    from fairdarts.network.build import build_network
    from orchestrate.planning.settings import full_name, parse_assignment, resolve

    _, architecture = read_genotype(text, store)
    pairs = dict(parse_assignment(text) for text in assignments or [])
    layers = [
        {"search.space": architecture.space},
        {full_name(name): value for name, value in pairs.items()},
    ]
    # The augmentation of images that nobody reads here.
    layers.append({"retrain.color_jitter": False, "retrain.auto_augment": False})
    config = resolve("fairdarts", layers)["retrain"]
    assert isinstance(config, RetrainConfig)
    scale = LAYER_SCALE if isinstance(architecture, LayerGenotype) else CELL_SCALE
    size = 224 if config.stem == "imagenet" else scale["image_size"]
    torch.manual_seed(config.seed)
    network = build_network(architecture, config, num_classes or scale["num_classes"])
    return network, size
