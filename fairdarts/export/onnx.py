"""A network as an ONNX model, which other programs run without torch."""

import logging
import warnings

import torch
from torch import Tensor, nn

from fairdarts.errors import ExportError
from fairdarts.seeding import generator

TOLERANCE = 1e-4
"""Largest difference of a logit, relative to the largest logit where that is above 1."""
CHECKED_IMAGES = 3


class Logits(nn.Module):
    """A network of ours without its second output, an auxiliary head's."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to logits (B, K)."""
        logits: Tensor = self.network(images)[0]
        return logits


def to_onnx(network: nn.Module, image_size: int) -> bytes:
    """The network in evaluation mode as an ONNX model, and proof that it computes the same.

    Its input `images` are normalised, float32, (batch, 3, H, W), its output `logits` (batch, K);
    the batch may have any size.

    Args:
        network: A derived network on a CPU.
        image_size: H and W in pixels.
    Raises:
        ExportError: If onnxruntime's logits on a CPU differ from torch's.
        ConfigError: If the network cannot take images of this size.
    """
    model = Logits(network).eval()
    draw = generator("cpu", 0, "export")
    images = torch.randn(CHECKED_IMAGES, 3, image_size, image_size, generator=draw)
    with torch.no_grad():
        expected = model(images)
    content = _exported(model, images[:2])
    difference = (_computed(content, images) - expected).abs().max().item()
    allowed = TOLERANCE * max(1.0, expected.abs().max().item())
    if not difference <= allowed:
        raise ExportError(
            f"The ONNX model's logits differ from the network's by {difference:.2g}, and only "
            f"{allowed:.2g} is allowed: it was not written."
        )
    return content


def _exported(model: nn.Module, images: Tensor) -> bytes:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of torch's own exporter, about its own code.
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
    content: bytes = program.model_proto.SerializeToString()
    return content


def _computed(content: bytes, images: Tensor) -> Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    return torch.from_numpy(logits)
