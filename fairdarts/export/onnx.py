"""Export a network as an ONNX model, which other programs can run without torch."""

import logging
import os
import warnings
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from fairdarts.data.images import Channels
from fairdarts.errors import ExportError
from fairdarts.export.description import Description
from fairdarts.seeding import generator

TOLERANCE = 1e-4
"""Largest allowed difference of a logit; if the largest logit is above 1, relative to it."""
CHECKED_IMAGES = 3
"""More than the two of the export, which shows that the batch may have any size."""


class Logits(nn.Module):
    """A network without its second output, that of the auxiliary head."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to logits (B, K)."""
        logits: Tensor = self.network(images)[0]
        return logits


class LogitsOfPixels(Logits):
    """The same for uint8 images, (B, H, W, 3)."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Channels, std: Channels) -> None:
        super().__init__(network)
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Pixels to logits (B, K)."""
        pixels = images.permute(0, 3, 1, 2).float() / 255
        return super().forward((pixels - self.mean) / self.std)


def to_onnx(network: nn.Module, description: Description, *, uint8: bool = False) -> bytes:
    """Export the network in evaluation mode, and check that the ONNX model computes the same.

    The input of the model is `images`: normalised, float32, (batch, 3, H, W), or pixels. Its output
    is `logits`, (batch, K). The batch may have any size. The description becomes its metadata.

    Args:
        network: A derived network on a CPU; its mode is put back afterwards.
        description: Describes the network and the size of its images.
        uint8: Whether the input is RGB pixels as in Pillow and NumPy, uint8, (batch, H, W, 3), and
            the model normalises them.
    Returns:
        The content of an .onnx file.
    Raises:
        ExportError: If onnxruntime's logits on a CPU differ from torch's.
        ConfigError: If the network cannot take images of this size.
    """
    mean, std = description.mean, description.std
    model = LogitsOfPixels(network, mean, std) if uint8 else Logits(network)
    images = _some_images(description.image_size, uint8)
    was_training = network.training
    try:
        model.eval()
        with torch.no_grad():
            expected = model(images)
        content = _exported(model, images[:2], description)
    finally:
        network.train(was_training)
    difference = (_computed(content, images) - expected).abs().max().item()
    allowed = TOLERANCE * max(1.0, expected.abs().max().item())
    if not difference <= allowed:
        raise ExportError(
            f"The ONNX model's logits differ from the network's by {difference:.2g}, and only "
            f"{allowed:.2g} is allowed: it was not written."
        )
    return content


def _some_images(size: int, uint8: bool) -> Tensor:
    draw = generator("cpu", 0, "export")
    if uint8:
        shape = (CHECKED_IMAGES, size, size, 3)
        return torch.randint(256, shape, dtype=torch.uint8, generator=draw)
    return torch.randn(CHECKED_IMAGES, 3, size, size, generator=draw)


def _exported(model: nn.Module, images: Tensor, description: Description) -> bytes:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # From torch's exporter about its own code.
        program = torch.onnx.export(
            model,
            (images,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, description.metadata())
    content: bytes = proto.SerializeToString()
    return content


def _computed(content: bytes, images: Tensor) -> Tensor:
    session = _onnxruntime().InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    return torch.from_numpy(logits)


def _onnxruntime() -> Any:
    """The module onnxruntime with its telemetry off.

    Otherwise its import writes an id into the home folder, and it reports every model to its
    makers.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime
